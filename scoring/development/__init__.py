"""A scorecard from noisy counts of labelled firms a bin: no firm's data is seen.

`counts` is the document of what holders returned, `evidence` what it says of each bin, `modelled`
how features go together by what the catalogue publishes, `weights` how they are weighed, `plan`
the bank's fields, `build` all of it.
"""
