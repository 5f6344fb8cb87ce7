"""Other people's checkpoints: one small reader a format, the layers in each, and metrics beside them."""

from typing import TYPE_CHECKING

from grokscope.lazy import lazy_names

if TYPE_CHECKING:
    from grokscope.importers.layers import layers_of
    from grokscope.importers.metric_names import metrics_of
    from grokscope.importers.metrics_table import read_metrics
    from grokscope.importers.sniffing import read_many, read_tensors, sniff

__all__ = ["layers_of", "metrics_of", "read_many", "read_metrics", "read_tensors", "sniff"]

__getattr__ = lazy_names(
    __name__,
    {
        "layers_of": "grokscope.importers.layers",
        "metrics_of": "grokscope.importers.metric_names",
        "read_metrics": "grokscope.importers.metrics_table",
        "read_many": "grokscope.importers.sniffing",
        "read_tensors": "grokscope.importers.sniffing",
        "sniff": "grokscope.importers.sniffing",
    },
)
