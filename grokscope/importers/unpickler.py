"""A pickle read as data: lists, dicts, numbers and texts as they are, everything else as an inert `Stub`.

Nothing that a pickle names is ever imported or called.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any

from grokscope.importers.pickle_machine import Machine
from grokscope.importers.pickle_opcodes import ACTIONS
from grokscope.importers.pickled_values import NotReadable

STOP = pickle.STOP[0]


class Unpickler(Machine):
    """Reads one pickle in a buffer; `position` is where it ended, once `load` has returned."""

    def load(self) -> Any:
        """Return the object that the pickle describes; raises NotReadable."""
        data, actions = self.data, ACTIONS
        try:
            while (code := data[self.position]) != STOP:
                self.position += 1
                actions[code](self)
            self.position += 1
            return self._stack.pop()
        except (IndexError, struct.error):
            if self.position >= len(self.data):
                raise NotReadable("breaks off") from None
            raise NotReadable("is damaged") from None
        except (KeyError, ValueError, TypeError, UnicodeError, AttributeError, OverflowError):
            raise NotReadable("is damaged") from None
