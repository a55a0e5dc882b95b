"""The chapters of the classic tutorials, served by Flask and by asyncflask, give the same answers."""
