import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.kafka.schemaregistry.CompatibilityPolicy;
import io.confluent.kafka.schemaregistry.ParsedSchema;
import io.confluent.kafka.schemaregistry.avro.AvroSchema;
import io.confluent.kafka.schemaregistry.client.rest.entities.SchemaReference;
import io.confluent.kafka.schemaregistry.json.JsonSchema;
import io.confluent.kafka.schemaregistry.protobuf.ProtobufSchema;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Writes into avro.json, json.json and protobuf.json what the Confluent registry's classes answer; see README.md. */
public class Generate {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern TYPE = Pattern.compile("errorType:['\"]([A-Z_0-9]+)");
  private static final Pattern PLACE = Pattern.compile("'#?(/[^']*)'");

  public static void main(String[] arguments) throws Exception {
    for (String format : new String[] {"avro", "json", "protobuf"}) {
      Path file = Path.of(arguments[0], format + ".json");
      ObjectNode vectors = (ObjectNode) JSON.readTree(file.toFile());
      for (JsonNode text : vectors.get("texts")) ((ObjectNode) text).set("expected", text(format, text));
      for (JsonNode one : vectors.get("cases")) ((ObjectNode) one).set("expected", verdicts(format, one));
      Files.writeString(file, "{\n\"texts\": " + lines(vectors.get("texts")) + ",\n\"cases\": " + lines(vectors.get("cases")) + "\n}\n");
    }
  }

  private static String lines(JsonNode array) throws Exception {
    List<String> lines = new ArrayList<>();
    for (JsonNode one : array) lines.add(JSON.writeValueAsString(one));
    return "[\n" + String.join(",\n", lines) + "\n]";
  }

  private static ObjectNode text(String format, JsonNode text) {
    ObjectNode expected = JSON.createObjectNode();
    try {
      ParsedSchema schema = parse(format, text.get("schema").asText(), text.get("references"), true);
      schema.validate(false);
      expected.put("canonical", schema.canonicalString());
    } catch (Exception | StackOverflowError refused) {
      return expected.put("refused", true);
    }
    try {
      expected.put("normalized", parse(format, text.get("schema").asText(), text.get("references"), true).normalize().canonicalString());
    } catch (RuntimeException failed) {
      expected.put("normalized", failed.getClass().getName());
    }
    return expected;
  }

  private static ObjectNode verdicts(String format, JsonNode one) {
    ObjectNode expected = JSON.createObjectNode();
    try {
      ParsedSchema before = parse(format, one.get("old").asText(), one.get("oldReferences"), false);
      ParsedSchema after = parse(format, one.get("new").asText(), one.get("newReferences"), false);
      expected.set("backward", differences(after.isBackwardCompatible(CompatibilityPolicy.STRICT, before)));
      expected.set("forward", differences(before.isBackwardCompatible(CompatibilityPolicy.STRICT, after)));
      if (format.equals("json")) {
        expected.set("lenientBackward", differences(after.isBackwardCompatible(CompatibilityPolicy.LENIENT, before)));
        expected.set("lenientForward", differences(before.isBackwardCompatible(CompatibilityPolicy.LENIENT, after)));
      }
      return expected;
    } catch (Exception failed) {
      return JSON.createObjectNode().put("failed", String.valueOf(failed.getCause() == null ? failed : failed.getCause()));
    }
  }

  /** Of each message the type and the place, in order. */
  private static ArrayNode differences(List<String> messages) {
    TreeSet<String> found = new TreeSet<>();
    for (String message : messages) {
      Matcher type = TYPE.matcher(message);
      Matcher place = PLACE.matcher(message);
      found.add((type.find() ? type.group(1) : "OTHER") + " " + (place.find() ? place.group(1) : ""));
    }
    ArrayNode array = JSON.createArrayNode();
    found.forEach(array::add);
    return array;
  }

  private static ParsedSchema parse(String format, String text, JsonNode given, boolean isNew) {
    List<SchemaReference> references = new ArrayList<>();
    Map<String, String> resolved = new LinkedHashMap<>();
    if (given != null) {
      for (JsonNode reference : given) {
        String name = reference.get("name").asText();
        references.add(new SchemaReference(name, reference.path("subject").asText(name), reference.path("version").asInt(1)));
        resolved.put(name, reference.get("schema").asText());
      }
    }
    switch (format) {
      case "avro":
        return new AvroSchema(text, references, resolved, null, null, null, isNew);
      case "json":
        return new JsonSchema(text, references, resolved, null, null, null, true);
      default:
        return new ProtobufSchema(text, references, resolved, null, null, null, null);
    }
  }
}
