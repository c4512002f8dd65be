"""Read the support table as what it is: JSON, an ordered list of rules."""

import json

from conformance.provider import shipped_table_path

table = json.loads(shipped_table_path().read_text(encoding="utf-8"))

for rule in table["rules"]:
    statement = rule["statements"].get("prompt_cache_key")
    if statement and "responses" in rule.get("endpoints", ["responses"]):
        answer = "yes" if statement["supported"] else "no"
        others = [name for name in rule if name not in ("models", "endpoints", "statements", "cassettes")]
        where = "; ".join(f"{name} {' '.join(rule[name])}" for name in others)
        print(f"{', '.join(rule['models'])}{f' ({where})' if where else ''}: {answer}, says {statement['source']}")
