"""The Recorder as a callback of training libraries; each module imports its library when it is imported."""
