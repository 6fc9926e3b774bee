"""pyarrow and fastavro on files in a folder: SCENARIO FOLDER; prints one JSON value."""

import datetime
import decimal
import json
import os
import sys
import uuid

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[2]
epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    """A value in JSON, so that it can be told from any other: times in milliseconds, integers as texts."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, decimal.Decimal):
        return {"decimal": format(value, "f")}
    if isinstance(value, datetime.datetime):
        return {"timestamp": (value - epoch) // datetime.timedelta(milliseconds=1)}
    if isinstance(value, datetime.date):
        return {"date": (value - epoch.date()).days}
    if isinstance(value, datetime.time):
        return {"time": ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return [plain(part) for part in value]


def read():
    """The rows of each file, by its name: in a file of its own, whose name it gives."""
    files = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".parquet"):
            table = pq.read_table(path)
            table.validate(full=True)
            files[name] = {"rows": plain(table.to_pylist()), "groups": pq.ParquetFile(path).num_row_groups}
        elif name.endswith(".avro"):
            with open(path, "rb") as file:
                files[name] = {"rows": plain(list(fastavro.reader(file)))}
    result = os.path.join(folder, "rows.json")
    with open(result, "w") as file:
        json.dump(files, file)
    return result


def written_columns():
    nested = pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])
    return {
        "flag": ([True, None, False], pa.bool_()),
        "i8": ([-128, None, 127], pa.int8()),
        "i16": ([-32768, None, 32767], pa.int16()),
        "i32": ([-(2**31), None, 2**31 - 1], pa.int32()),
        "i64": ([-(2**63), None, 2**63 - 1], pa.int64()),
        "u8": ([0, None, 255], pa.uint8()),
        "u16": ([0, None, 65535], pa.uint16()),
        "u32": ([0, None, 2**32 - 1], pa.uint32()),
        "half": ([0.5, None, -2.0], pa.float16()),
        "single": ([0.5, None, -2.25], pa.float32()),
        "double": ([0.1, None, 1e300], pa.float64()),
        "text": (["é", None, "x" * 100], pa.string()),
        "large": (["a", None, "b"], pa.large_string()),
        "bytes": ([b"\x00\xff", None, b""], pa.binary()),
        "fixed": ([b"abcd", None, b"efgh"], pa.binary(4)),
        "small": ([decimal.Decimal("1.25"), None, decimal.Decimal("-1.25")], pa.decimal128(5, 2)),
        "decimal": ([decimal.Decimal("12345678901234567890.12"), None, decimal.Decimal("0")], pa.decimal128(30, 2)),
        "day": ([datetime.date(2024, 2, 29), None, datetime.date(1969, 12, 31)], pa.date32()),
        "time_ms": ([datetime.time(1, 2, 3, 4000), None, datetime.time(0)], pa.time32("ms")),
        "time_us": ([datetime.time(1, 2, 3, 4), None, datetime.time(0)], pa.time64("us")),
        "ms": ([1700000000123, None, -1], pa.timestamp("ms", tz="UTC")),
        "us": ([1700000000123456, None, -1], pa.timestamp("us", tz="UTC")),
        "local_us": ([1700000000123456, None, -1], pa.timestamp("us")),
        "uuid": ([uuid.UUID(int=1).bytes, None, uuid.UUID(int=2).bytes], pa.uuid()),
        "list": ([[1, None], None, []], pa.list_(pa.int64())),
        "lists": ([[["a"], [], None], None, []], pa.list_(pa.list_(pa.string()))),
        "struct": ([{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}], nested),
        "structs": ([[{"a": 1, "b": []}, None], None, []], pa.list_(nested)),
        "map": ([[("k", 1), ("l", None)], None, []], pa.map_(pa.string(), pa.int32())),
        "by_number": ([[(2, "two"), (1, "one")], None, []], pa.map_(pa.int32(), pa.string())),
        "nothing": ([None, None, None], pa.null()),
        "category": (pa.array(["a", None, "a"]).dictionary_encode(), None),
    }


def write():
    """Files of Parquet and Avro in all that differs between writers; gives their names."""
    columns = {}
    for name, (values, kind) in written_columns().items():
        if name == "uuid":
            columns[name] = pa.ExtensionArray.from_storage(pa.uuid(), pa.array(values, pa.binary(16)))
        else:
            columns[name] = values if kind is None else pa.array(values, kind)
    table = pa.table(columns)
    variants = {
        "snappy": {"compression": "snappy"},
        "gzip": {"compression": "gzip"},
        "zstd": {"compression": "zstd"},
        "brotli": {"compression": "brotli"},
        "lz4": {"compression": "lz4"},
        "none": {"compression": "none", "use_dictionary": False},
        "pages-2": {"data_page_version": "2.0"},
        "decimals-as-integers": {"store_decimal_as_integer": True},
        "old-lists": {"use_compliant_nested_type": False},
        "row-groups": {"row_group_size": 1},
        "delta": {"use_dictionary": False, "column_encoding": {"i64": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY"}},
    }
    for name, options in variants.items():
        pq.write_table(table, os.path.join(folder, f"{name}.parquet"), **options)
    # As Spark and Impala wrote them for long.
    old = pa.table({"ns": pa.array([1700000000123456789, None, -1], pa.timestamp("ns"))})
    pq.write_table(old, os.path.join(folder, "int96.parquet"), use_deprecated_int96_timestamps=True)
    pq.write_table(old, os.path.join(folder, "nanoseconds.parquet"), version="2.6")
    many = pa.table({"id": list(range(100_000)), "text": [f"text {number % 1000}" for number in range(100_000)]})
    pq.write_table(many, os.path.join(folder, "many.parquet"), row_group_size=30_000, data_page_size=4096)
    write_avro()
    return sorted(os.listdir(folder))


def write_avro():
    schema = {
        "type": "record",
        "name": "Row",
        "namespace": "com.acme",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "text", "type": ["null", "string"], "default": None},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
            {"name": "tags", "type": {"type": "map", "values": "int"}},
            {"name": "parts", "type": {"type": "array", "items": "double"}},
        ],
    }
    rows = [
        {
            "id": 2**62 + number,
            "text": None if number % 3 == 0 else f"text {number}",
            "at": epoch + datetime.timedelta(milliseconds=number),
            "price": decimal.Decimal(number) / 100,
            "kind": "AB"[number % 2],
            "tags": {"n": number},
            "parts": [number / 2],
        }
        for number in range(5000)
    ]
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2"]:
        with open(os.path.join(folder, f"{codec}.avro"), "wb") as file:
            fastavro.writer(file, fastavro.parse_schema(schema), rows, codec=codec)


print(json.dumps({"read": read, "write": write}[sys.argv[1]]()))
