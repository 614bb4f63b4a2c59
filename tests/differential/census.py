# SPDX-License-Identifier: GPL-3.0-or-later
"""How often each kind of statement was drawn: by its first words, and by what stands in it."""
import re
from collections import Counter

FIRST = re.compile(r"(?:CREATE|ALTER|DROP|COMMENT ON|SET|START|REFRESH|DISCARD|ROLLBACK|LOCK)?(?: OR REPLACE| TEMP| UNIQUE| UNLOGGED| MATERIALIZED| TO)*\s*\w+")
# What is looked for in a statement's text; each counts once a statement.
PARTS = {
    "WITH RECURSIVE": "recursive queries", " SEARCH ": "SEARCH", " CYCLE ": "CYCLE", "MATERIALIZED (": "MATERIALIZED queries", " OVER ": "windows", "GROUPS ": "frames of groups", " RANGE ": "frames of ranges", "EXCLUDE ": "frames that exclude",
    "GROUPING SETS": "grouping sets", "ROLLUP": "ROLLUP", "CUBE": "CUBE", "DISTINCT ON": "DISTINCT ON", "WITHIN GROUP": "ordered-set aggregates", "FILTER (": "FILTER", "LATERAL": "LATERAL", "FULL JOIN": "FULL JOIN", "ON CONFLICT": "ON CONFLICT",
    "RETURNING": "RETURNING", " USING ": "USING", "INTERSECT": "INTERSECT", "EXCEPT": "EXCEPT", "EXISTS (": "EXISTS", "jsonpath": "jsonb paths", "jsonb_path": "jsonb paths", " @? ": "jsonb paths", "range": "ranges", "multirange": "multiranges", "unnest": "unnest",
    "point": "geometry", "box": "geometry", "polygon": "geometry", "circle": "geometry", "lseg": "geometry", "color[]": "arrays of enums", "mood[]": "arrays of enums", "status[]": "arrays of enums", "CURRENT OF": "WHERE CURRENT OF", "DEFERRABLE": "deferrable constraints",
    "SET CONSTRAINTS": "SET CONSTRAINTS", "TEMP ": "temporary objects", "COLLATE": "COLLATE", "AT TIME ZONE": "AT TIME ZONE", "FOR UPDATE": "row locks", "WITH TIES": "WITH TIES", "WITH HOLD": "cursors that are held", "GENERATED": "generated columns", "SKIP LOCKED": "SKIP LOCKED",
}


class Census:
    def __init__(self):
        self.first, self.parts = Counter(), Counter()

    def count(self, sql):
        found = FIRST.match(sql)
        self.first[found.group() if found else "others"] += 1
        self.parts.update({name for text, name in PARTS.items() if text in sql})

    def lines(self):
        for title, counter in (("begins with", self.first), ("has", self.parts)):
            entries = ["%s %d" % entry for entry in counter.most_common(60)]
            yield "%s: %s" % (title, ", ".join(entries))
