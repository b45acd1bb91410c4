"""From records to numbers with intervals: curves, essential sparsity, turning points, contrasts and effects."""
