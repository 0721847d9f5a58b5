"""A scorecard from noisy counts of labelled firms a bin: no firm's data is seen.

`counts` is the document of what holders returned, `evidence` what it says of each bin,
`weights` how the features are weighed together, `card` the scorecard of real points.
"""
