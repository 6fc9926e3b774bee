import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.connect.avro.AvroData;
import io.confluent.connect.avro.AvroDataConfig;
import io.confluent.kafka.serializers.NonRecordContainer;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/** avro-cases.json to avro-vectors.json with Confluent's AvroData; see README.md. */
public class GenerateAvro {
  static final ObjectMapper json = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    JsonNode cases = json.readTree(new File(args[0]));
    ObjectNode out = json.createObjectNode();
    ArrayNode connect = out.putArray("connect");
    for (JsonNode one : cases.get("connect")) connect.add(fromConnect(one));
    ArrayNode avro = out.putArray("avro");
    for (JsonNode one : cases.get("avro")) avro.add(fromAvro(one));
    json.writerWithDefaultPrettyPrinter().writeValue(new File(args[1]), out);
  }

  static JsonConverter envelopes(boolean replaceNull) {
    JsonConverter converter = new JsonConverter();
    converter.configure(Map.of("schemas.enable", "true", "converter.type", "value",
        "replace.null.with.default", String.valueOf(replaceNull)), false);
    return converter;
  }

  static AvroData data(JsonNode one) {
    Map<String, Object> options = new HashMap<>();
    one.get("options").fields().forEachRemaining(option -> options.put(option.getKey(), option.getValue().asText()));
    return new AvroData(new AvroDataConfig(options));
  }

  static ObjectNode fromConnect(JsonNode one) throws Exception {
    ObjectNode result = json.createObjectNode().put("name", one.get("name").asText());
    try {
      ObjectNode envelope = json.createObjectNode();
      envelope.set("schema", one.get("schema"));
      envelope.set("payload", one.get("payload"));
      // Nulls are to reach AvroData as they are.
      SchemaAndValue in = envelopes(false).toConnectData("t", json.writeValueAsBytes(envelope));
      AvroData data = data(one);
      Schema schema = data.fromConnectSchema(in.schema());
      // As it would stand in a registry.
      Schema registered = new Schema.Parser().parse(schema.toString());
      result.put("avro", schema.toString());
      Object value = data.fromConnectData(in.schema(), in.value());
      byte[] bytes = encode(schema, value instanceof NonRecordContainer ? ((NonRecordContainer) value).getValue() : value);
      result.put("bytes", HexFormat.of().formatHex(bytes));
      result.set("back", back(data, registered, bytes));
    } catch (Exception e) {
      result.put("error", String.valueOf(e));
    }
    return result;
  }

  static ObjectNode fromAvro(JsonNode one) throws Exception {
    ObjectNode result = json.createObjectNode().put("name", one.get("name").asText());
    try {
      Schema schema = new Schema.Parser().parse(json.writeValueAsString(one.get("avro")));
      Object datum = new GenericDatumReader<>(schema)
          .read(null, DecoderFactory.get().jsonDecoder(schema, json.writeValueAsString(one.get("datum"))));
      byte[] bytes = encode(schema, datum);
      result.put("bytes", HexFormat.of().formatHex(bytes));
      result.set("back", back(data(one), schema, bytes));
    } catch (Exception e) {
      result.put("error", String.valueOf(e));
    }
    return result;
  }

  static byte[] encode(Schema schema, Object value) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
    new GenericDatumWriter<>(schema).write(value, encoder);
    encoder.flush();
    return out.toByteArray();
  }

  /** What is read of the bytes, as Kafka Connect's JsonConverter writes it. */
  static JsonNode back(AvroData data, Schema schema, byte[] bytes) throws Exception {
    Object datum = new GenericDatumReader<>(schema).read(null, DecoderFactory.get().binaryDecoder(bytes, null));
    SchemaAndValue value = data.toConnectData(schema, datum, 9);
    return json.readTree(envelopes(false).fromConnectData("t", value.schema(), value.value()));
  }
}
