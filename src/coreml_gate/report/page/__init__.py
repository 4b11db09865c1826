"""The parts of the page: the data drawn of a model, base beside head, and the scripts that draw it.

The charts are uPlot's (https://github.com/leeoniya/uPlot, MIT, in ``vendor/uplot``).
"""
