"""Values whose identities are frozen: a difference here is a new schema, or a fault."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib

import numpy as np

from tests.plan.corpus import Colour, Config, Point, padded, strings


def values() -> dict[str, object]:
    """Give the values, by name."""
    grid = np.arange(6.0).reshape(2, 3)
    return {
        "none": None,
        "true": True,
        "one": 1,
        "one point": 1.0,
        "minus zero": -0.0,
        "nan": float("nan"),
        "big": 2**64,
        "minus big": -(2**63) - 1,
        "complex": 1 + 2j,
        "text": "Grüße",
        "long text": "a" * 40_000,
        "bytes": b"abc",
        "bytearray": bytearray(b"abc"),
        "list": [1, "a", 2.5],
        "tuple": (1, "a", 2.5),
        "nested": {"a": [1, (2, {3: None})]},
        "tuple keys": {(1, 2): "x"},
        "set": {"a", "b", "c", 1},
        "frozenset": frozenset({("x", 1), ("y", 2)}),
        "datetime": dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC),
        "date": dt.date(2024, 2, 29),
        "duration": dt.timedelta(hours=1),
        "path": pathlib.PurePosixPath("a/b"),
        "decimal": decimal.Decimal("1.10"),
        "range": range(1, 10, 2),
        "float64": np.float64(1),
        "int8": np.int8(1),
        "datetime64": np.datetime64("2024-02-29", "D"),
        "array": grid,
        "fortran": np.asfortranarray(grid),
        "big endian": grid.astype(">f4"),
        "empty": np.zeros((0, 3)),
        "point": np.array(1.5),
        "large": np.arange(10_000.0),
        "days": np.array([0, 1], "M8[D]"),
        "texts": np.array(["a", "bc"]),
        "struct": padded(0),
        "masked": np.ma.masked_array([1.0, 2.0], [False, True]),
        "strings": strings("a", "bc"),
        "list of arrays": [np.arange(3.0), np.arange(10_000.0)],
        "dataclass": Config(0.5, (1, 2)),
        "namedtuple": Point(1, 2),
        "enum": Colour.RED,
    }


COMPONENTS: dict[str, str] = {
    "none": "00c0",
    "true": "00c3",
    "one": "0001",
    "one point": "00cb3ff0000000000000",
    "minus zero": "00cb8000000000000000",
    "nan": "00cb7ff8000000000000",
    "big": "00c70904000000000000000001",
    "minus big": "00c70904ffffffffffffff7fff",
    "complex": "00d805000000000000f03f0000000000000040",
    "text": "00a74772c3bcc39f65",
    "long text": "019a69f6db5d4245b91e7b0de0f99b18d5dbe6f455f3492a77c9d5686ed69940c9",
    "bytes": "00c403616263",
    "bytearray": "00c7030b616263",
    "list": "009301a161cb4004000000000000",
    "tuple": "00c70d019301a161cb4004000000000000",
    "nested": "0081a1619201c7050192028103c0",
    "tuple keys": "00c7091392c70301920102a178",
    "set": "00d7029401a161a162a163",
    "frozenset": "00c70d0392d60192a17801d60192a17902",
    "datetime": "013d2285e3ae7cf4a0fcab5b17a11584abc50766e8d87fe4467e0583d1f4181d25",
    "date": "00c7150a92ad6461746574696d652e6461746593cd07e8021d",
    "duration": "00c71a0a92b26461746574696d652e74696d6564656c74619300cd0e1000",
    "path": "01a91809c843ecc018ef4b68e2784dfedde2887b0014f3be1077b45e16304474ee",
    "decimal": "00c7180a92af646563696d616c2e446563696d616c9300a3313130fe",
    "range": "00c70b0a92a572616e676593010a02",
    "float64": "00c70f0692a33c6638c408000000000000f03f",
    "int8": "00d70692a37c6931c40101",
    "datetime64": "00c7120692a63c4d385b445dc408464d000000000000",
    "array": "018fac3f92ac9250f26b9677dc8ede188cb19192aa099ce73e0e3f6af415bd0566",
    "fortran": "0153dfb4cd4ff4f399535e541222850dec19b09f517ce586ae4ef6a027f478b6f6",
    "big endian": "01bb6d36fa4afa13d8ab4f8bbb3280db4df51009e088514c9660001fc961a1bdd8",
    "empty": "0131cedaafe09853788d5518784f0244381dd844bf093ce9ff1f2907fd93f08208",
    "point": "01ba0197fecae9b27aa997069e7b71dad11f62f9b99eea264c78090f8c2070e54a",
    "large": "01ae6ffe0dfcc4a5bd5d9d6229cb07c81f79435b5d5df1395ee77034693723e4ea",
    "days": "011d3ce46285569dbb59592316eb26ad58decd9e48a873b7593714afa7af5ec568",
    "texts": "01870d2f4e6f4a64a4b27081989635e258d6fb3bc78a19fce882d70217cda40a1c",
    "struct": "01a343621d86ac0bfd9277e05531a50e1d587948167e64f74d25495c27947fcaca",
    "masked": "012bb8297e879457c7730a20c4115f319633d5164b2314b3fc6be36b244bda98de",
    "strings": "0167acfad1974b6b86cf5150df39433d532826fd17cc58d397ecd7403140016ee8",
    "list of arrays": "01a5cec8c7de4ba59c62a8481cd845114a4518415e423cb66624e025971a38663d",
    "dataclass": "01bed37a0dabe4d8d00eb6cee2b2322564157cf0ad7a03f1a28c39b540e06f0e02",
    "namedtuple": "015aaac2f00f223f89e40bde58423de7dd0d28e901505c715706a4aa6451721308",
    "enum": "019414a6109d9cddef33de41670c26a0906acc860a33529a193c6213b24e282588",
}
RECORDS: dict[str, str] = {
    "none": "c0",
    "true": "c3",
    "one": "01",
    "one point": "cb3ff0000000000000",
    "minus zero": "cb8000000000000000",
    "nan": "cb7ff8000000000000",
    "big": "c70904000000000000000001",
    "minus big": "c70904ffffffffffffff7fff",
    "complex": "d805000000000000f03f0000000000000040",
    "text": "a74772c3bcc39f65",
    "long text": "c7280994c420386ddcdd3996e09a1c224a2497bbf647207979118a632093e5c4cb28090f9df200cd9cc390",
    "bytes": "c403616263",
    "bytearray": "c7030b616263",
    "list": "9301a161cb4004000000000000",
    "tuple": "c70d019301a161cb4004000000000000",
    "nested": "81a1619201c7050192028103c0",
    "tuple keys": "c7091392c70301920102a178",
    "set": "d7029401a161a162a163",
    "frozenset": "c70d0392d60192a17801d60192a17902",
    "datetime": "c72a0a92b16461746574696d652e6461746574696d6599cd07e8021d0c1e00000092a66f666673657493000000",
    "date": "c7150a92ad6461746574696d652e6461746593cd07e8021d",
    "duration": "c71a0a92b26461746574696d652e74696d6564656c74619300cd0e1000",
    "path": "c72a0a92b5706174686c69622e50757265506f7369785061746892ad50757265506f73697850617468a3612f62",
    "decimal": "c7180a92af646563696d616c2e446563696d616c9300a3313130fe",
    "range": "c70b0a92a572616e676593010a02",
    "float64": "c70f0692a33c6638c408000000000000f03f",
    "int8": "d70692a37c6931c40101",
    "datetime64": "c7120692a63c4d385b445dc408464d000000000000",
    "array": (
        "c73b0794c4300000000000000000000000000000f03f0000000000000040000000000000084000000000000010400000"
        "000000001440a33c6638c2920203"
    ),
    "fortran": (
        "c73b0794c43000000000000000000000000000000840000000000000f03f000000000000104000000000000000400000"
        "000000001440a33c6638c3920203"
    ),
    "big endian": "c7230794c418000000003f80000040000000404000004080000040a00000a33e6634c2920203",
    "empty": "c70b0794c400a33c6638c2920003",
    "point": "c7110794c408000000000000f83fa33c6638c290",
    "large": (
        "c7320896c420c8209ac26a5a71cad2710b19d7e3e61b8555043a60820520fa98c3e654d7475f00ce00013900a33c6638c291cd2710"
    ),
    "days": "c71d0794c41000000000000000000100000000000000a63c4d385b445dc29102",
    "texts": "c71a0794c41061000000000000006200000063000000a33c5532c29102",
    "struct": (
        "c73b0794c42001000000000000000000000000000840020000000000000000000000000010409392a161a37c693192a0"
        "a37c563792a162a33c6638c29102"
    ),
    "masked": (
        "c7420f94c71a0794c410000000000000f03f0000000000000040a33c6638c29102c70c0794c4020001a37c6231c29102"
        "c7110794c408408cb5781daf1544a33c6638c290c2"
    ),
    "strings": (
        "c73b1096c390c7220794c418000000000000000001000000000000000300000000000000a33c6938c29103c70d0794c4"
        "03616263a37c7531c29103c09102"
    ),
    "list of arrays": (
        "92c7220794c4180000000000000000000000000000f03f0000000000000040a33c6638c29103c7320896c420c8209ac2"
        "6a5a71cad2710b19d7e3e61b8555043a60820520fa98c3e654d7475f00ce00013900a33c6638c291cd2710"
    ),
    "dataclass": (
        "c7340d95b874657374732e706c616e2e636f727075733a436f6e666967a472617465cb3fe0000000000000a57374657073c70301920102"
    ),
    "namedtuple": "c71f0e95b774657374732e706c616e2e636f727075733a506f696e74a17801a17902",
    "enum": "c71f0c93b874657374732e706c616e2e636f727075733a436f6c6f7572a3524544c0",
}
