"""Images of pods: named by renters, looked at before they cost anything, fetched, kept within bounds."""
