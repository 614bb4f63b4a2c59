# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables in the shape of TPC-H, made from a seed: the columns, key relations, value ranges and words that its queries look for.

Not the official generator: rows differ from its, the distributions that decide plans and selectivities are kept.
"""
import datetime
import io
import random

NATIONS = (("ALGERIA", 0), ("ARGENTINA", 1), ("BRAZIL", 1), ("CANADA", 1), ("EGYPT", 4), ("ETHIOPIA", 0), ("FRANCE", 3), ("GERMANY", 3),
           ("INDIA", 2), ("INDONESIA", 2), ("IRAN", 4), ("IRAQ", 4), ("JAPAN", 2), ("JORDAN", 4), ("KENYA", 0), ("MOROCCO", 0),
           ("MOZAMBIQUE", 0), ("PERU", 1), ("CHINA", 2), ("ROMANIA", 3), ("SAUDI ARABIA", 4), ("VIETNAM", 2), ("RUSSIA", 3),
           ("UNITED KINGDOM", 3), ("UNITED STATES", 1))
REGIONS = ("AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST")
COLOURS = ("almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood burnished chartreuse chiffon chocolate "
           "coral cornflower cornsilk cream cyan dark deep dim dodger drab firebrick floral forest frosted gainsboro ghost goldenrod green "
           "grey honeydew hot indian ivory khaki lace lavender lawn lemon light lime linen magenta maroon medium metallic midnight mint "
           "misty moccasin navajo navy olive orange orchid pale papaya peach peru pink plum powder puff purple red rose rosy royal saddle "
           "salmon sandy seashell sienna sky slate smoke snow spring steel tan thistle tomato turquoise violet wheat white yellow").split()
TYPES = [" ".join((a, b, c)) for a in ("STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO")
         for b in ("ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED") for c in ("TIN", "NICKEL", "BRASS", "STEEL", "COPPER")]
CONTAINERS = [" ".join((a, b)) for a in ("SM", "LG", "MED", "JUMBO", "WRAP") for b in ("CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM")]
SEGMENTS = ("AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD")
PRIORITIES = ("1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW")
INSTRUCTIONS = ("DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN")
MODES = ("REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB")
WORDS = ("foxes ideas theodolites pinto beans instructions dependencies excuses platelets asymptotes courts dolphins sleep wake are cajole "
         "haggle nag use boost affix detect integrate among quickly slyly carefully furiously blithely special pending unusual express final "
         "regular bold even silent ironic requests packages accounts deposits").split()
FIRST_DAY, DAYS = datetime.date(1992, 1, 1), 2406
DATES = [(FIRST_DAY + datetime.timedelta(days=i)).isoformat() for i in range(DAYS + 200)]
CURRENT = (datetime.date(1995, 6, 17) - FIRST_DAY).days

SCHEMA = """
CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name char(25) NOT NULL, r_comment varchar(152));
CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name char(25) NOT NULL, n_regionkey int NOT NULL, n_comment varchar(152));
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL,
    p_type varchar(25) NOT NULL, p_size int NOT NULL, p_container char(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL, p_comment varchar(23) NOT NULL);
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL, s_nationkey int NOT NULL,
    s_phone char(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL, s_comment varchar(101) NOT NULL);
CREATE TABLE partsupp (ps_partkey int NOT NULL, ps_suppkey int NOT NULL, ps_availqty int NOT NULL, ps_supplycost numeric(15,2) NOT NULL,
    ps_comment varchar(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, c_nationkey int NOT NULL,
    c_phone char(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL, c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL);
CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int NOT NULL, o_orderstatus char(1) NOT NULL, o_totalprice numeric(15,2) NOT NULL,
    o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL, o_shippriority int NOT NULL, o_comment varchar(79) NOT NULL);
CREATE TABLE lineitem (l_orderkey int NOT NULL, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int NOT NULL, l_quantity numeric(15,2) NOT NULL,
    l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL,
    l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL,
    l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber));
"""
INDEXES = """
CREATE INDEX lineitem_part ON lineitem (l_partkey, l_suppkey);
CREATE INDEX lineitem_shipdate ON lineitem (l_shipdate);
CREATE INDEX orders_customer ON orders (o_custkey);
CREATE INDEX orders_date ON orders (o_orderdate);
CREATE INDEX partsupp_supplier ON partsupp (ps_suppkey);
CREATE INDEX customer_nation ON customer (c_nationkey);
CREATE INDEX supplier_nation ON supplier (s_nationkey);
"""
TABLES = ("region", "nation", "part", "supplier", "partsupp", "customer", "orders", "lineitem")


def tables(scale, seed=1):
    """Yields (table, COPY text)."""
    draw = random.Random(seed)
    integer, pick = draw.randrange, draw.choice
    comments = [" ".join(pick(WORDS) for _ in range(5))[:40] for _ in range(4000)]
    parts, suppliers, customers, orders = (max(10, int(n * scale)) for n in (200000, 10000, 150000, 1500000))

    def phone(nation):
        return "%d-%03d-%03d-%04d" % (nation + 10, integer(100, 1000), integer(100, 1000), integer(1000, 10000))

    def price(part):
        return 90000 + (part // 10) % 20001 + 100 * (part % 1000)

    def supplier_of(part, number):
        return (part + number * (suppliers // 4 + (part - 1) // suppliers)) % suppliers + 1

    yield "region", "".join("%d\t%s\t%s\n" % (i, name, pick(comments)) for i, name in enumerate(REGIONS))
    yield "nation", "".join("%d\t%s\t%d\t%s\n" % (i, name, region, pick(comments)) for i, (name, region) in enumerate(NATIONS))
    out = io.StringIO()
    for part in range(1, parts + 1):
        maker = integer(1, 6)
        out.write("%d\t%s\tManufacturer#%d\tBrand#%d%d\t%s\t%d\t%s\t%.2f\t%s\n" % (
            part, " ".join(draw.sample(COLOURS, 5)), maker, maker, integer(1, 6), pick(TYPES), integer(1, 51), pick(CONTAINERS),
            price(part) / 100, pick(comments)[:23]))
    yield "part", out.getvalue()
    out = io.StringIO()
    for supplier in range(1, suppliers + 1):
        nation, comment = integer(25), pick(comments)
        if supplier % 200 == 7:
            comment = "slyly Customer bold Complaints sleep"
        out.write("%d\tSupplier#%09d\t%s\t%d\t%s\t%.2f\t%s\n" % (
            supplier, supplier, "address %d" % integer(10**9), nation, phone(nation), integer(-99999, 1000000) / 100, comment))
    yield "supplier", out.getvalue()
    out = io.StringIO()
    for part in range(1, parts + 1):
        for number in range(4):
            out.write("%d\t%d\t%d\t%.2f\t%s\n" % (part, supplier_of(part, number), integer(1, 10000), integer(100, 100001) / 100, pick(comments)))
    yield "partsupp", out.getvalue()
    out = io.StringIO()
    for customer in range(1, customers + 1):
        nation = integer(25)
        out.write("%d\tCustomer#%09d\t%s\t%d\t%s\t%.2f\t%s\t%s\n" % (
            customer, customer, "address %d" % integer(10**9), nation, phone(nation), integer(-99999, 1000000) / 100, pick(SEGMENTS), pick(comments)))
    yield "customer", out.getvalue()
    heads, lines = io.StringIO(), io.StringIO()
    for number in range(orders):
        order = number // 8 * 32 + number % 8 + 1
        customer = integer(1, customers + 1)
        if customer % 3 == 0:
            customer = customer % customers + 1
        day = integer(DAYS - 151)
        total, open_lines, count = 0, 0, integer(1, 8)
        for line in range(1, count + 1):
            part = integer(1, parts + 1)
            quantity, discount, tax = integer(1, 51), integer(11), integer(9)
            ship, commit = day + integer(1, 122), day + integer(30, 91)
            receipt = ship + integer(1, 31)
            extended = quantity * price(part)
            total += extended * (100 + tax) * (100 - discount) // 10000
            is_open = ship > CURRENT
            open_lines += is_open
            flag = pick("RA") if receipt <= CURRENT else "N"
            lines.write("%d\t%d\t%d\t%d\t%d\t%.2f\t%.2f\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n" % (
                order, part, supplier_of(part, integer(4)), line, quantity, extended / 100, discount / 100, tax / 100, flag, "O" if is_open else "F",
                DATES[ship], DATES[commit], DATES[receipt], pick(INSTRUCTIONS), pick(MODES), pick(comments)[:43]))
        status = "O" if open_lines == count else "F" if open_lines == 0 else "P"
        heads.write("%d\t%d\t%s\t%.2f\t%s\t%s\tClerk#%09d\t0\t%s\n" % (
            order, customer, status, total / 100, DATES[day], pick(PRIORITIES), integer(1, max(2, int(1000 * scale) + 1)), pick(comments)))
    yield "orders", heads.getvalue()
    yield "lineitem", lines.getvalue()
