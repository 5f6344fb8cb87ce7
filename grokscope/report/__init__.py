"""What one run, or several seeds of it, say at each event: the paper's tables."""

from grokscope.experiments import refuse_twice
from grokscope.report.events import EVENTS, RunReport, run_report
from grokscope.report.text import report_text

__all__ = ["EVENTS", "RunReport", "refuse_twice", "report_text", "run_report"]
