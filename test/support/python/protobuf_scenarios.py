"""Protobuf messages of Tidewire's converter and of confluent-kafka, read by the other: script read|write REGISTRY_URL;DIRECTORY, prints JSON."""
import json
import sys
from pathlib import Path

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

pool = descriptor_pool.DescriptorPool()
for known in (timestamp_pb2, wrappers_pb2):
    pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)


def field(name, number, kind, label=Field.LABEL_OPTIONAL, type_name=None, oneof=None, optional=False):
    made = Field(name=name, number=number, type=kind, label=label)
    if type_name is not None:
        made.type_name = type_name
    if oneof is not None:
        made.oneof_index = oneof
    if optional:
        made.proto3_optional = True
    return made


def message(name, *fields, nested=(), oneofs=(), entry=False):
    made = descriptor_pb2.DescriptorProto(name=name, field=fields, nested_type=nested)
    for oneof in oneofs:
        made.oneof_decl.add(name=oneof)
    if entry:
        made.options.map_entry = True
    return made


def messages_of(name, package, *types, imports=()):
    pool.Add(descriptor_pb2.FileDescriptorProto(
        name=name, package=package, syntax="proto3", dependency=imports, message_type=types))
    return pool


# What the converter's test writes.
messages_of(
    "ours.proto", "shop",
    message(
        "Order", field("id", 1, Field.TYPE_INT64), field("small", 2, Field.TYPE_INT32),
        field("note", 3, Field.TYPE_STRING, oneof=0, optional=True),
        field("at", 4, Field.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp"),
        field("tags", 5, Field.TYPE_STRING, Field.LABEL_REPEATED),
        field("numbers", 6, Field.TYPE_INT64, Field.LABEL_REPEATED),
        field("counts", 7, Field.TYPE_MESSAGE, Field.LABEL_REPEATED, ".shop.Order.CountsEntry"),
        field("user", 8, Field.TYPE_MESSAGE, type_name=".shop.Order.User"),
        field("raw", 9, Field.TYPE_BYTES), field("ratio", 10, Field.TYPE_DOUBLE),
        nested=(
            message("CountsEntry", field("key", 1, Field.TYPE_STRING), field("value", 2, Field.TYPE_INT32), entry=True),
            message("User", field("name", 1, Field.TYPE_STRING)),
        ),
        oneofs=("_note",)),
    imports=("google/protobuf/timestamp.proto",))

# What the converter's test reads: the second message of the file, with a message of another file in it.
messages_of("person.proto", "people", message("Person", field("name", 1, Field.TYPE_STRING)))
messages_of(
    "theirs.proto", "shop.theirs",
    message("First", field("x", 1, Field.TYPE_INT32)),
    message(
        "Second", field("u", 1, Field.TYPE_UINT64), field("s", 2, Field.TYPE_SINT64), field("f", 3, Field.TYPE_FIXED32),
        field("packed", 4, Field.TYPE_SINT32, Field.LABEL_REPEATED),
        field("who", 5, Field.TYPE_MESSAGE, type_name=".people.Person"),
        field("at", 6, Field.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp"),
        field("wrapped", 7, Field.TYPE_MESSAGE, type_name=".google.protobuf.StringValue"),
        field("number", 8, Field.TYPE_INT32, oneof=0), field("word", 9, Field.TYPE_STRING, oneof=0),
        field("by", 10, Field.TYPE_MESSAGE, Field.LABEL_REPEATED, ".shop.theirs.Second.ByEntry"),
        nested=(message("ByEntry", field("key", 1, Field.TYPE_INT64), field("value", 2, Field.TYPE_STRING), entry=True),),
        oneofs=("either",)),
    imports=("person.proto", "google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"))


def type_of(name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def context(topic):
    return SerializationContext(topic, MessageField.VALUE)


def read(client, directory):
    deserialize = ProtobufDeserializer(type_of("shop.Order"), {"use.deprecated.format": False}, client)
    found = deserialize((directory / "order.bin").read_bytes(), context("order"))
    return json_format.MessageToDict(found, preserving_proto_field_name=True)


def write(client, directory):
    second = type_of("shop.theirs.Second")
    value = json_format.ParseDict({
        "u": "18446744073709551615", "s": "-9007199254740993", "f": 4294967295, "packed": [1, -1, 0],
        "who": {"name": "Ada"}, "at": "2024-02-29T12:34:56.789Z", "wrapped": "", "word": "größe", "by": {"-5": "five"},
    }, second())
    serialize = ProtobufSerializer(second, client, {"use.deprecated.format": False})
    (directory / "second.bin").write_bytes(serialize(value, context("second")))
    return True


scenario, argument = sys.argv[1:]
url, place = argument.split(";")
print(json.dumps({"read": read, "write": write}[scenario](SchemaRegistryClient({"url": url}), Path(place))))
