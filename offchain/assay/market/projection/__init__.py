"""From events to rows: pure functions of an event and the rows that stand."""
