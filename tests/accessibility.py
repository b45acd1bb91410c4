"""What axe finds on a page of the built book."""

# Serious or critical violations in markup that no file of this repository writes: rule, selector, reason.
NOT_OURS = {
    "aria-required-children": {
        ".citation-list": "Sphinx gives the items of a bibliography's list the role of entries, which is that of links",
    },
    "definition-list": {
        ".sig dl": "Sphinx writes a signature of several lines as a list of definitions without terms",
    },
    "summary-name": {
        ".bd-docs-nav summary": "the theme's sidebar unfolds by an arrow without a name, beside a link that has one",
    },
}

SEVERE = """async (notOurs) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], elementRef: true });
  const ours = (rule, node) => !Object.keys(notOurs[rule] ?? {}).some((selector) => node.element?.matches(selector));
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.filter((node) => ours(id, node)).map((n) => `${id}: ${n.target} ${n.html}`));
}"""


def severe(tab, not_ours=NOT_OURS):
    """A line for everything serious or critical that axe finds on the page."""
    from axe_playwright_python.base import AXE_SCRIPT

    tab.evaluate(AXE_SCRIPT)
    return tab.evaluate(SEVERE, not_ours)
