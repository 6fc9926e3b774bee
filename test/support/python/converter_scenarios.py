"""Messages of Tidewire's converters and of confluent-kafka, read by the other: script read|write REGISTRY_URL;DIRECTORY, prints JSON."""
import base64
import json
import sys
from decimal import Decimal
from pathlib import Path

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

ORDER = {
    "type": "record", "name": "Order", "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "counts", "type": {"type": "map", "values": "int"}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "who", "type": ["int", "string", "User"]},
        {"name": "raw", "type": {"type": "fixed", "name": "Raw", "size": 3}},
        {"name": "ratio", "type": "double"},
    ],
}
USER = {"type": "record", "name": "User", "namespace": "shop", "fields": [{"name": "name", "type": "string"}]}
ITEM = {
    "title": "Item", "type": "object",
    "properties": {
        "a": {"type": "integer"}, "b": {"oneOf": [{"type": "null"}, {"type": "string"}]},
        "c": {"type": "array", "items": {"type": "number"}}, "d": {"$ref": "#/definitions/D"},
    },
    "definitions": {"D": {"title": "D", "type": "object", "properties": {"e": {"type": "boolean"}}}},
}


def context(topic):
    return SerializationContext(topic, MessageField.VALUE)


def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (int, float, str, bool)) or value is None:
        return value
    return str(value)


def read(client, messages):
    """What the messages of avro/*.bin and json/*.bin hold."""
    avro = AvroDeserializer(client)
    json_schema = JSONDeserializer(None, schema_registry_client=client)
    found = {}
    for path in sorted(messages.iterdir()):
        deserialize = avro if path.name.startswith("avro") else json_schema
        found[path.name] = plain(deserialize(path.read_bytes(), context(path.stem)))
    return found


def write(client, messages):
    """Messages of python's serializers, in base64."""
    client.register_schema("user", Schema(json.dumps(USER), "AVRO"))
    schema = Schema(json.dumps(ORDER), "AVRO", [SchemaReference("shop.User", "user", 1)])
    order = {
        "id": 2**53 + 1, "state": "PAID", "price": Decimal("-12.34"), "tags": ["x", "ü"], "counts": {"k": -1},
        "note": None, "who": ("shop.User", {"name": "Ada"}), "raw": b"\x01\x02\xff", "ratio": 0.1,
    }
    item = {"a": 2**53 + 1, "b": None, "c": [1.5], "d": {"e": True}}
    written = {
        "avro": AvroSerializer(client, schema)(order, context("their-order")),
        "avro string": AvroSerializer(client, '"string"')("größe", context("their-string")),
        "avro bytes": AvroSerializer(client, '"bytes"')(b"\x00\x01", context("their-bytes")),
        "json": JSONSerializer(json.dumps(ITEM), client)(item, context("their-item")),
    }
    return {name: base64.b64encode(data).decode() for name, data in written.items()}


scenario, place = sys.argv[1:3]
url, directory = place.split(";")
print(json.dumps({"read": read, "write": write}[scenario](SchemaRegistryClient({"url": url}), Path(directory))))
