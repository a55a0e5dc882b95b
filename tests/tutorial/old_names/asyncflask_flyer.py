"""An extension that was written for asyncflask, found under ``asyncflask.ext`` in the same way."""


class Flyer:
    def fly(self):
        return "flown"
