"""Scenarios for confluent-kafka's schema registry client and serializers: script SCENARIO REGISTRY_URL, prints JSON."""
import json
import sys

from confluent_kafka.schema_registry import Metadata, MetadataProperties, Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

USER = json.dumps({"type": "record", "name": "User", "fields": [{"name": "name", "type": "string"}]})


def context(topic):
    return SerializationContext(topic, MessageField.VALUE)


def failure(call):
    try:
        call()
    except SchemaRegistryError as error:
        return [error.http_status_code, error.error_code]
    return None


def avro(client, other):
    data = AvroSerializer(client, USER)({"name": "Ada"}, context("avro"))
    return {"magic": data[0], "value": AvroDeserializer(other)(data, context("avro"))}


def avro_references(client, other):
    client.register_schema("inner", Schema(USER, "AVRO"))
    outer = json.dumps({"type": "record", "name": "Order", "fields": [{"name": "user", "type": "User"}]})
    schema = Schema(outer, "AVRO", [SchemaReference("User", "inner", 1)])
    data = AvroSerializer(client, schema)({"user": {"name": "Bo"}}, context("order"))
    return AvroDeserializer(other)(data, context("order"))


def json_schema(client, other):
    text = json.dumps({"title": "T", "type": "object", "properties": {"a": {"type": "integer"}}})
    data = JSONSerializer(text, client)({"a": 1}, context("json"))
    return {"magic": data[0], "value": JSONDeserializer(text, schema_registry_client=other)(data, context("json"))}


def registry(client, _):
    schema = Schema(USER, "AVRO")
    first = client.register_schema("s", schema)
    again = client.register_schema("s", schema, normalize_schemas=True)
    found = client.lookup_schema("s", schema)
    next_text = json.dumps({"type": "record", "name": "User", "fields": [{"name": "n", "type": "string"}]})
    bad = Schema(next_text, "AVRO")
    answer = {
        "same": first == again == found.schema_id,
        "version": found.version,
        "by id": client.get_schema(first).schema_str == client.get_latest_version("s").schema.schema_str,
        "subjects": client.get_subjects(),
        "versions": client.get_versions("s"),
        "compatible": [client.test_compatibility("s", schema), client.test_compatibility("s", bad)],
        "refused": failure(lambda: client.register_schema("s", bad)),
        "config": client.set_compatibility("s", "NONE")["compatibility"],
        "level": client.get_compatibility("s"),
        "second": client.register_schema("s", bad) > first,
        "missing": [
            failure(lambda: client.get_version("nobody", 1)),
            failure(lambda: client.get_version("s", 9)),
            failure(lambda: client.get_schema(123456)),
        ],
        "deleted": [client.delete_version("s", 1), client.delete_subject("s"), client.delete_subject("s", True)],
    }
    return answer


def metadata(client, _):
    wanted = Metadata(None, MetadataProperties({"owner": "me"}), None)
    client.register_schema("m", Schema(USER, "AVRO", [], wanted))
    found = client.get_latest_with_metadata("m", {"owner": "me"})
    return [found.version, found.schema.metadata.properties.properties]


if __name__ == "__main__":
    scenario, url = sys.argv[1:3]
    clients = [SchemaRegistryClient({"url": url}) for _ in range(2)]
    print(json.dumps(globals()[scenario](*clients)))
