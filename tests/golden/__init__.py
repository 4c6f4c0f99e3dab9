"""The golden set: what seven small jobs gave before the code that does them was rebuilt."""
