"""The page's parts: what is drawn of a model, its program, base beside head, and the scripts that show them.

The charts are uPlot's (https://github.com/leeoniya/uPlot, MIT, in ``vendor/uplot``).
"""
