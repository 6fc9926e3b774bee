import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import io.confluent.connect.protobuf.ProtobufData;
import io.confluent.connect.protobuf.ProtobufDataConfig;
import io.confluent.kafka.schemaregistry.protobuf.MessageIndexes;
import io.confluent.kafka.schemaregistry.protobuf.ProtobufSchema;
import io.confluent.kafka.serializers.protobuf.ProtobufSchemaAndValue;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/** What Confluent's ProtobufData makes of a file of cases: GenerateProtobuf protobuf-cases.json protobuf-vectors.json */
public class GenerateProtobuf {
  static final ObjectMapper mapper = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    JsonNode input = mapper.readTree(new File(args[0]));
    List<String> written = new ArrayList<>();
    for (JsonNode each : input.get("write")) written.add(mapper.writeValueAsString(write(each)));
    List<String> read = new ArrayList<>();
    for (JsonNode each : input.get("read")) read.add(mapper.writeValueAsString(read(each)));
    String text = "{\"write\":[\n" + String.join(",\n", written) + "\n],\"read\":[\n" + String.join(",\n", read) + "\n]}\n";
    Files.writeString(Path.of(args[1]), text);
  }

  static ObjectNode write(JsonNode given) throws Exception {
    ObjectNode made = mapper.createObjectNode().put("name", given.get("name").asText());
    try {
      ProtobufData data = new ProtobufData(config(given.get("settings")));
      SchemaAndValue connect = json(true).toConnectData("t", mapper.writeValueAsBytes(given.get("connect")));
      ProtobufSchemaAndValue proto = data.fromConnectData(connect.schema(), connect.value());
      Message message = (Message) proto.getValue();
      made.put("text", proto.getSchema().canonicalString());
      if (message == null) return made;
      made.put("bytes", HexFormat.of().formatHex(message.toByteArray()));
      MessageIndexes indexes = proto.getSchema().toMessageIndexes(message.getDescriptorForType().getFullName(), false);
      made.put("indexes", HexFormat.of().formatHex(indexes.toByteArray()));
      // As a consumer sees it: by the text of the registry.
      ProtobufSchema registered = new ProtobufSchema(proto.getSchema().canonicalString());
      readInto(made, data, registered, message.getDescriptorForType().getFullName(), message.toByteArray());
    } catch (Exception | StackOverflowError e) {
      made.put("error", e.getClass().getSimpleName() + ": " + e.getMessage());
    }
    return made;
  }

  static ObjectNode read(JsonNode given) throws Exception {
    ObjectNode made = mapper.createObjectNode().put("name", given.get("name").asText());
    try {
      ProtobufData data = new ProtobufData(config(given.get("settings")));
      ProtobufSchema schema = new ProtobufSchema(given.get("text").asText());
      String name = given.get("message").asText();
      Descriptor descriptor = schema.toDescriptor(name);
      DynamicMessage.Builder builder = DynamicMessage.newBuilder(descriptor);
      TextFormat.merge(given.get("value").asText(), builder);
      byte[] bytes = builder.build().toByteArray();
      made.put("bytes", HexFormat.of().formatHex(bytes));
      made.put("indexes", HexFormat.of().formatHex(schema.toMessageIndexes(name, false).toByteArray()));
      readInto(made, data, schema, name, bytes);
    } catch (Exception | StackOverflowError e) {
      made.put("error", e.getClass().getSimpleName() + ": " + e.getMessage());
    }
    return made;
  }

  static void readInto(ObjectNode made, ProtobufData data, ProtobufSchema schema, String name, byte[] bytes)
      throws Exception {
    ProtobufSchema named = schema.copy(name);
    Message message = DynamicMessage.parseFrom(schema.toDescriptor(name), bytes);
    SchemaAndValue back = data.toConnectData(named, message);
    made.set("read", mapper.readTree(json(true).fromConnectData("t", back.schema(), back.value())));
  }

  static ProtobufDataConfig config(JsonNode settings) {
    Map<String, Object> map = new HashMap<>();
    if (settings != null) settings.fields().forEachRemaining(e -> map.put(e.getKey(), e.getValue().asText()));
    return new ProtobufDataConfig(map);
  }

  static JsonConverter json(boolean schemas) {
    JsonConverter converter = new JsonConverter();
    converter.configure(Map.of("schemas.enable", schemas, "decimal.format", "BASE64", "replace.null.with.default", false), false);
    return converter;
  }
}
