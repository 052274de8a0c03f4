"""The wire: every body that crosses between processes, every path it is sent to, and every limit on both."""
