"""How vendors say no: a refusal is told from an answer, unwrapped, and read for the fields that it blames."""
