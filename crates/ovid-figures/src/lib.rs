//! Series of numbers to SVG figures and CSV files.
