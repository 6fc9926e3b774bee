import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.converters.BooleanConverter;
import org.apache.kafka.connect.converters.ByteArrayConverter;
import org.apache.kafka.connect.converters.DoubleConverter;
import org.apache.kafka.connect.converters.FloatConverter;
import org.apache.kafka.connect.converters.IntegerConverter;
import org.apache.kafka.connect.converters.LongConverter;
import org.apache.kafka.connect.converters.ShortConverter;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

/** What Kafka Connect's own converters make of cases.json: Generate cases.json vectors.json */
public class Generate {
  static final ObjectMapper mapper = new ObjectMapper();
  static final JsonConverter envelopes = json(true, "BASE64", false);

  public static void main(String[] args) throws Exception {
    JsonNode cases = mapper.readTree(new File(args[0]));
    List<String> parts = new ArrayList<>();
    parts.add(part("json", cases, Generate::json));
    parts.add(part("plain", cases, Generate::plain));
    parts.add(part("headers", cases, Generate::header));
    parts.add(part("write", cases, Generate::write));
    parts.add(part("read", cases, Generate::read));
    Files.writeString(Path.of(args[1]), "{" + String.join(",", parts) + "}\n");
  }

  interface Make {
    void make(JsonNode given, ObjectNode made) throws Exception;
  }

  static String part(String name, JsonNode cases, Make make) throws Exception {
    List<String> lines = new ArrayList<>();
    for (JsonNode given : cases.get(name)) {
      ObjectNode made = mapper.createObjectNode();
      try {
        make.make(given, made);
      } catch (Exception e) {
        made.put("error", e.getClass().getSimpleName());
      }
      lines.add(mapper.writeValueAsString(made));
    }
    return "\"" + name + "\":[\n" + String.join(",\n", lines) + "\n]";
  }

  /** An envelope, read and written again in each of the ways that there are. */
  static void json(JsonNode given, ObjectNode made) throws Exception {
    byte[] bytes = mapper.writeValueAsBytes(given);
    SchemaAndValue kept = envelopes.toConnectData("t", bytes);
    for (boolean schemas : new boolean[] {true, false}) {
      for (String decimals : new String[] {"BASE64", "NUMERIC"}) {
        for (boolean replace : new boolean[] {true, false}) {
          JsonConverter converter = json(schemas, decimals, replace);
          String key = (schemas ? "schemas" : "plain") + " " + decimals + (replace ? " replace" : "");
          put(made, key, () -> text(converter.fromConnectData("t", kept.schema(), kept.value())));
        }
      }
    }
    SchemaAndValue replaced = json(true, "BASE64", true).toConnectData("t", bytes);
    put(made, "replaced", () -> text(envelopes.fromConnectData("t", replaced.schema(), replaced.value())));
  }

  interface Text {
    String get() throws Exception;
  }

  static void put(ObjectNode made, String key, Text text) {
    try {
      made.put(key, text.get());
    } catch (Exception e) {
      made.put(key, "!" + e.getClass().getSimpleName());
    }
  }

  /** JSON without a schema: what it is read as, and written again. */
  static void plain(JsonNode given, ObjectNode made) throws Exception {
    JsonConverter plain = json(false, "BASE64", true);
    SchemaAndValue read = plain.toConnectData("t", given.asText().getBytes(StandardCharsets.UTF_8));
    made.put("text", text(plain.fromConnectData("t", read.schema(), read.value())));
  }

  static void header(JsonNode given, ObjectNode made) throws Exception {
    SimpleHeaderConverter converter = new SimpleHeaderConverter();
    SchemaAndValue read = converter.toConnectHeader("t", "h", given.asText().getBytes(StandardCharsets.UTF_8));
    made.put("text", text(converter.fromConnectHeader("t", "h", read.schema(), read.value())));
    made.set("read", mapper.readTree(envelopes.fromConnectData("t", read.schema(), read.value())));
  }

  static void write(JsonNode given, ObjectNode made) throws Exception {
    SchemaAndValue value = envelopes.toConnectData("t", mapper.writeValueAsBytes(given.get("connect")));
    byte[] bytes = converter(given).fromConnectData("t", value.schema(), value.value());
    made.put("bytes", bytes == null ? null : HexFormat.of().formatHex(bytes));
  }

  static void read(JsonNode given, ObjectNode made) throws Exception {
    JsonNode bytes = given.get("bytes");
    SchemaAndValue value =
        converter(given).toConnectData("t", bytes.isNull() ? null : HexFormat.of().parseHex(bytes.asText()));
    made.set("read", mapper.readTree(envelopes.fromConnectData("t", value.schema(), value.value())));
  }

  static Converter converter(JsonNode given) {
    Converter converter =
        switch (given.get("converter").asText()) {
          case "boolean" -> new BooleanConverter();
          case "short" -> new ShortConverter();
          case "integer" -> new IntegerConverter();
          case "long" -> new LongConverter();
          case "float" -> new FloatConverter();
          case "double" -> new DoubleConverter();
          case "bytes" -> new ByteArrayConverter();
          default -> new StringConverter();
        };
    JsonNode encoding = given.get("encoding");
    converter.configure(encoding == null ? Map.of() : Map.of("converter.encoding", encoding.asText()), false);
    return converter;
  }

  static JsonConverter json(boolean schemas, String decimals, boolean replace) {
    JsonConverter converter = new JsonConverter();
    converter.configure(
        Map.of("schemas.enable", schemas, "decimal.format", decimals, "replace.null.with.default", replace), false);
    return converter;
  }

  static String text(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }
}
