import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.connect.json.JsonSchemaData;
import io.confluent.connect.json.JsonSchemaDataConfig;
import io.confluent.kafka.schemaregistry.json.JsonSchema;
import io.confluent.kafka.schemaregistry.json.jackson.Jackson;
import java.io.File;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/** json-schema-cases.json to json-schema-vectors.json with Confluent's JsonSchemaData; see README.md. */
public class GenerateJsonSchema {
  static final ObjectMapper json = new ObjectMapper();
  /** As Confluent's serializer and deserializer have it. */
  static final ObjectMapper messages = Jackson.newObjectMapper();

  public static void main(String[] args) throws Exception {
    JsonNode cases = json.readTree(new File(args[0]));
    ObjectNode out = json.createObjectNode();
    ArrayNode connect = out.putArray("connect");
    for (JsonNode one : cases.get("connect")) connect.add(fromConnect(one));
    ArrayNode schemas = out.putArray("schemas");
    for (JsonNode one : cases.get("schemas")) schemas.add(fromSchema(one));
    json.writerWithDefaultPrettyPrinter().writeValue(new File(args[1]), out);
  }

  static JsonConverter envelopes() {
    JsonConverter converter = new JsonConverter();
    converter.configure(Map.of("schemas.enable", "true", "converter.type", "value", "replace.null.with.default", "false"), false);
    return converter;
  }

  static JsonSchemaData data(JsonNode one) {
    Map<String, Object> options = new HashMap<>();
    one.get("options").fields().forEachRemaining(option -> options.put(option.getKey(), option.getValue().asText()));
    return new JsonSchemaData(new JsonSchemaDataConfig(options));
  }

  static ObjectNode fromConnect(JsonNode one) throws Exception {
    ObjectNode result = json.createObjectNode().put("name", one.get("name").asText());
    try {
      ObjectNode envelope = json.createObjectNode();
      envelope.set("schema", one.get("schema"));
      envelope.set("payload", one.get("payload"));
      SchemaAndValue in = envelopes().toConnectData("t", json.writeValueAsBytes(envelope));
      JsonSchemaData data = data(one);
      JsonSchema schema = data.fromConnectSchema(in.schema());
      result.put("schema", schema.canonicalString());
      String message = new String(messages.writeValueAsBytes(data.fromConnectData(in.schema(), in.value())), "UTF-8");
      result.put("message", message);
      result.set("back", back(data, new JsonSchema(schema.canonicalString()), message));
    } catch (Exception e) {
      result.put("error", String.valueOf(e));
    }
    return result;
  }

  static ObjectNode fromSchema(JsonNode one) throws Exception {
    ObjectNode result = json.createObjectNode().put("name", one.get("name").asText());
    try {
      JsonSchema schema = new JsonSchema(json.writeValueAsString(one.get("json")));
      result.set("back", back(data(one), schema, json.writeValueAsString(one.get("message"))));
    } catch (Exception e) {
      result.put("error", String.valueOf(e));
    }
    return result;
  }

  static JsonNode back(JsonSchemaData data, JsonSchema schema, String message) throws Exception {
    Schema connect = data.toConnectSchema(schema.copy(9));
    Object value = data.toConnectData(connect, messages.readTree(message));
    return json.readTree(envelopes().fromConnectData("t", connect, value));
  }
}
