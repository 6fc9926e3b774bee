import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Label;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Type;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.MessageOptions;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Timestamp;
import com.google.protobuf.TimestampProto;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * The records of converters.ts, given as envelopes, a line each, through Kafka Connect's JsonConverter, and through Avro's and
 * Protobuf's own libraries: between a Connect Struct and bytes, by way of a generic record or a dynamic message, as
 * Confluent's converters do, with the five or six bytes that those put first; no registry, no settings, no defaults. For
 * each a line: its name, the bytes of a record, and the records a second written and read.
 */
public class Bench {
    static Object sink;

    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[0]);
        List<String> lines = Files.readAllLines(Path.of(args[1]));
        JsonConverter envelopes = json(true);
        SchemaAndValue[] values = new SchemaAndValue[lines.size()];
        for (int i = 0; i < values.length; i++) values[i] = envelopes.toConnectData("t", lines.get(i).getBytes("UTF-8"));
        JsonConverter plain = json(false);
        Schema schema = values[0].schema();
        AvroForm avro = new AvroForm(schema);
        ProtobufForm protobuf = new ProtobufForm(schema);
        // As a source has it: one schema for all of its records.
        run(count, values, "Kafka Connect: JSON, schema, no envelope (read: without a schema)",
            value -> plain.fromConnectData("t", schema, value), bytes -> plain.toConnectData("t", bytes).value());
        run(count, values, "Kafka Connect: JSON, envelope",
            value -> envelopes.fromConnectData("t", schema, value), bytes -> envelopes.toConnectData("t", bytes).value());
        run(count, values, "Java: Struct, Avro generic record", avro::write, avro::read);
        run(count, values, "Java: Struct, Protobuf dynamic message", protobuf::write, protobuf::read);
    }

    static JsonConverter json(boolean schemas) {
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", schemas), false);
        return converter;
    }

    interface Step<A, B> {
        B apply(A given) throws IOException;
    }

    static void run(int count, SchemaAndValue[] values, String name, Step<Object, byte[]> write, Step<byte[], Object> read)
        throws IOException {
        int n = values.length;
        byte[][] bytes = new byte[n][];
        for (int i = 0; i < n; i++) {
            bytes[i] = write.apply(values[i].value());
            // Plain JSON is read as maps, without the schema's types.
            Object back = read.apply(bytes[i]);
            if (back instanceof Struct && !back.equals(values[i].value())) throw new IllegalStateException(name + " gave " + back);
        }
        long written = measure(count, i -> write.apply(values[i % n].value()));
        long readBack = measure(count, i -> read.apply(bytes[i % n]));
        System.out.println(name + "\t" + bytes[1].length + "\t" + written + "\t" + readBack);
    }

    static long measure(int count, Step<Integer, Object> convert) throws IOException {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long best = Long.MAX_VALUE;
        for (int round = 0; round < 6; round++) {
            long start = threads.getCurrentThreadCpuTime();
            for (int i = 0; i < count; i++) sink = convert.apply(i);
            if (round > 0) best = Math.min(best, threads.getCurrentThreadCpuTime() - start);
        }
        return Math.round(count * 1e9 / best);
    }

    /** What Confluent's format begins with: a zero and the id of the schema. */
    static final byte[] PREFIX = {0, 0, 0, 0, 1};

    static BigDecimal decimal(Schema schema, byte[] unscaled) {
        return new BigDecimal(new BigInteger(unscaled), Integer.parseInt(schema.parameters().get(Decimal.SCALE_FIELD)));
    }

    static byte[] bytesOf(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    static class AvroForm {
        final Schema connect;
        final org.apache.avro.Schema avro;
        final GenericDatumWriter<Object> writer;
        final GenericDatumReader<Object> reader;

        AvroForm(Schema connect) {
            this.connect = connect;
            this.avro = schemaOf(connect);
            this.writer = new GenericDatumWriter<>(avro);
            this.reader = new GenericDatumReader<>(avro);
        }

        byte[] write(Object value) throws IOException {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.write(PREFIX);
            BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
            writer.write(toAvro(connect, avro, value), encoder);
            encoder.flush();
            return out.toByteArray();
        }

        Object read(byte[] bytes) throws IOException {
            return fromAvro(connect, reader.read(null, DecoderFactory.get().binaryDecoder(bytes, 5, bytes.length - 5, null)));
        }

        static org.apache.avro.Schema schemaOf(Schema connect) {
            org.apache.avro.Schema schema = nonNull(connect);
            return connect.isOptional()
                ? org.apache.avro.Schema.createUnion(org.apache.avro.Schema.create(org.apache.avro.Schema.Type.NULL), schema)
                : schema;
        }

        static org.apache.avro.Schema nonNull(Schema connect) {
            switch (connect.type()) {
                case STRUCT:
                    List<org.apache.avro.Schema.Field> fields = new ArrayList<>();
                    for (Field field : connect.fields()) fields.add(new org.apache.avro.Schema.Field(field.name(), schemaOf(field.schema())));
                    return org.apache.avro.Schema.createRecord(connect.name(), null, null, false, fields);
                case ARRAY:
                    return org.apache.avro.Schema.createArray(schemaOf(connect.valueSchema()));
                case MAP:
                    return org.apache.avro.Schema.createMap(schemaOf(connect.valueSchema()));
                case STRING:
                    org.apache.avro.Schema string = org.apache.avro.Schema.create(org.apache.avro.Schema.Type.STRING);
                    GenericData.setStringType(string, GenericData.StringType.String);
                    return string;
                default:
                    return org.apache.avro.Schema.create(Map.of(
                        Schema.Type.INT32, org.apache.avro.Schema.Type.INT, Schema.Type.INT64, org.apache.avro.Schema.Type.LONG,
                        Schema.Type.FLOAT64, org.apache.avro.Schema.Type.DOUBLE, Schema.Type.BOOLEAN, org.apache.avro.Schema.Type.BOOLEAN,
                        Schema.Type.BYTES, org.apache.avro.Schema.Type.BYTES).get(connect.type()));
            }
        }

        static Object toAvro(Schema connect, org.apache.avro.Schema schema, Object value) {
            if (value == null) return null;
            org.apache.avro.Schema avro = connect.isOptional() ? schema.getTypes().get(1) : schema;
            switch (connect.type()) {
                case STRUCT:
                    GenericData.Record made = new GenericData.Record(avro);
                    for (Field field : connect.fields()) {
                        made.put(field.index(), toAvro(field.schema(), avro.getFields().get(field.index()).schema(), ((Struct) value).get(field)));
                    }
                    return made;
                case ARRAY:
                    List<Object> items = new ArrayList<>();
                    for (Object item : (List<?>) value) items.add(toAvro(connect.valueSchema(), avro.getElementType(), item));
                    return items;
                case MAP:
                    Map<Object, Object> entries = new HashMap<>();
                    for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                        entries.put(entry.getKey(), toAvro(connect.valueSchema(), avro.getValueType(), entry.getValue()));
                    }
                    return entries;
                case BYTES:
                    if (value instanceof BigDecimal) return ByteBuffer.wrap(((BigDecimal) value).unscaledValue().toByteArray());
                    return value instanceof byte[] ? ByteBuffer.wrap((byte[]) value) : value;
                default:
                    return value instanceof Date ? ((Date) value).getTime() : value;
            }
        }

        static Object fromAvro(Schema connect, Object value) {
            if (value == null) return null;
            switch (connect.type()) {
                case STRUCT:
                    Struct struct = new Struct(connect);
                    for (Field field : connect.fields()) struct.put(field, fromAvro(field.schema(), ((GenericRecord) value).get(field.index())));
                    return struct;
                case ARRAY:
                    List<Object> items = new ArrayList<>();
                    for (Object item : (List<?>) value) items.add(fromAvro(connect.valueSchema(), item));
                    return items;
                case MAP:
                    Map<Object, Object> entries = new HashMap<>();
                    for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                        entries.put(entry.getKey().toString(), fromAvro(connect.valueSchema(), entry.getValue()));
                    }
                    return entries;
                case BYTES:
                    return Decimal.LOGICAL_NAME.equals(connect.name()) ? decimal(connect, bytesOf((ByteBuffer) value)) : bytesOf((ByteBuffer) value);
                case INT64:
                    return connect.name() == null ? value : new Date((Long) value);
                default:
                    return value instanceof CharSequence ? value.toString() : value;
            }
        }
    }

    static class ProtobufForm {
        final Schema connect;
        final Descriptor message;

        ProtobufForm(Schema connect) throws Exception {
            this.connect = connect;
            FileDescriptorProto.Builder file = FileDescriptorProto.newBuilder().setName("bench.proto").addDependency("google/protobuf/timestamp.proto");
            file.addMessageType(DescriptorProto.newBuilder().setName("Decimal")
                .addField(FieldDescriptorProto.newBuilder().setName("value").setNumber(1).setType(Type.TYPE_BYTES).setLabel(Label.LABEL_OPTIONAL))
                .addField(FieldDescriptorProto.newBuilder().setName("scale").setNumber(3).setType(Type.TYPE_INT32).setLabel(Label.LABEL_OPTIONAL)));
            add(file, "Value", connect);
            FileDescriptor built = FileDescriptor.buildFrom(file.build(), new FileDescriptor[] {TimestampProto.getDescriptor()});
            this.message = built.findMessageTypeByName("Value");
        }

        byte[] write(Object value) throws IOException {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.write(PREFIX);
            out.write(0);
            toMessage(connect, message, (Struct) value).writeTo(out);
            return out.toByteArray();
        }

        Object read(byte[] bytes) throws IOException {
            return fromMessage(connect, DynamicMessage.parseFrom(message, CodedInputStream.newInstance(bytes, 6, bytes.length - 6)));
        }

        static void add(FileDescriptorProto.Builder file, String name, Schema struct) {
            DescriptorProto.Builder made = DescriptorProto.newBuilder().setName(name);
            for (Field field : struct.fields()) {
                Schema schema = field.schema();
                FieldDescriptorProto.Builder proto = FieldDescriptorProto.newBuilder().setName(field.name()).setNumber(field.index() + 1);
                proto.setLabel(Label.LABEL_OPTIONAL);
                if (schema.type() == Schema.Type.MAP) {
                    String entry = Character.toUpperCase(field.name().charAt(0)) + field.name().substring(1) + "Entry";
                    FieldDescriptorProto.Builder key = FieldDescriptorProto.newBuilder().setName("key").setNumber(1).setLabel(Label.LABEL_OPTIONAL);
                    FieldDescriptorProto.Builder item = FieldDescriptorProto.newBuilder().setName("value").setNumber(2).setLabel(Label.LABEL_OPTIONAL);
                    type(file, key, schema.keySchema(), entry);
                    type(file, item, schema.valueSchema(), entry);
                    made.addNestedType(DescriptorProto.newBuilder().setName(entry).addField(key).addField(item)
                        .setOptions(MessageOptions.newBuilder().setMapEntry(true)));
                    proto.setLabel(Label.LABEL_REPEATED).setType(Type.TYPE_MESSAGE).setTypeName("." + name + "." + entry);
                } else if (schema.type() == Schema.Type.ARRAY) {
                    proto.setLabel(Label.LABEL_REPEATED);
                    type(file, proto, schema.valueSchema(), name + field.index());
                } else {
                    type(file, proto, schema, name + field.index());
                }
                made.addField(proto);
            }
            file.addMessageType(made);
        }

        static void type(FileDescriptorProto.Builder file, FieldDescriptorProto.Builder field, Schema schema, String name) {
            if (schema.type() == Schema.Type.STRUCT) {
                add(file, name, schema);
                field.setType(Type.TYPE_MESSAGE).setTypeName("." + name);
            } else if (Decimal.LOGICAL_NAME.equals(schema.name())) {
                field.setType(Type.TYPE_MESSAGE).setTypeName(".Decimal");
            } else if (schema.type() == Schema.Type.INT64 && schema.name() != null) {
                field.setType(Type.TYPE_MESSAGE).setTypeName(".google.protobuf.Timestamp");
            } else {
                field.setType(Map.of(Schema.Type.INT32, Type.TYPE_INT32, Schema.Type.INT64, Type.TYPE_INT64, Schema.Type.FLOAT64, Type.TYPE_DOUBLE,
                    Schema.Type.BOOLEAN, Type.TYPE_BOOL, Schema.Type.STRING, Type.TYPE_STRING, Schema.Type.BYTES, Type.TYPE_BYTES).get(schema.type()));
            }
        }

        static DynamicMessage toMessage(Schema connect, Descriptor descriptor, Struct value) {
            DynamicMessage.Builder made = DynamicMessage.newBuilder(descriptor);
            for (Field field : connect.fields()) {
                Object given = value.get(field);
                if (given == null) continue;
                FieldDescriptor proto = descriptor.getFields().get(field.index());
                Schema schema = field.schema();
                if (schema.type() == Schema.Type.MAP) {
                    Descriptor entry = proto.getMessageType();
                    for (Map.Entry<?, ?> each : ((Map<?, ?>) given).entrySet()) {
                        made.addRepeatedField(proto, DynamicMessage.newBuilder(entry).setField(entry.getFields().get(0), each.getKey())
                            .setField(entry.getFields().get(1), each.getValue()).build());
                    }
                } else if (schema.type() == Schema.Type.ARRAY) {
                    for (Object item : (List<?>) given) made.addRepeatedField(proto, toField(schema.valueSchema(), proto, item));
                } else {
                    made.setField(proto, toField(schema, proto, given));
                }
            }
            return made.build();
        }

        static Object toField(Schema schema, FieldDescriptor proto, Object value) {
            if (value instanceof Struct) return toMessage(schema, proto.getMessageType(), (Struct) value);
            if (value instanceof byte[]) return ByteString.copyFrom((byte[]) value);
            if (value instanceof ByteBuffer) return ByteString.copyFrom(((ByteBuffer) value).duplicate());
            if (value instanceof Date) {
                long ms = ((Date) value).getTime();
                return Timestamp.newBuilder().setSeconds(Math.floorDiv(ms, 1000L)).setNanos((int) Math.floorMod(ms, 1000L) * 1_000_000).build();
            }
            if (!(value instanceof BigDecimal)) return value;
            Descriptor type = proto.getMessageType();
            return DynamicMessage.newBuilder(type)
                .setField(type.findFieldByNumber(1), ByteString.copyFrom(((BigDecimal) value).unscaledValue().toByteArray()))
                .setField(type.findFieldByNumber(3), ((BigDecimal) value).scale()).build();
        }

        static Struct fromMessage(Schema connect, com.google.protobuf.Message message) {
            Struct made = new Struct(connect);
            List<FieldDescriptor> fields = message.getDescriptorForType().getFields();
            for (Field field : connect.fields()) {
                FieldDescriptor proto = fields.get(field.index());
                Schema schema = field.schema();
                if (schema.type() == Schema.Type.MAP) {
                    Map<Object, Object> entries = new HashMap<>();
                    for (Object each : (List<?>) message.getField(proto)) {
                        List<FieldDescriptor> pair = proto.getMessageType().getFields();
                        com.google.protobuf.Message entry = (com.google.protobuf.Message) each;
                        entries.put(entry.getField(pair.get(0)), entry.getField(pair.get(1)));
                    }
                    made.put(field, entries);
                } else if (schema.type() == Schema.Type.ARRAY) {
                    List<Object> items = new ArrayList<>();
                    for (Object item : (List<?>) message.getField(proto)) items.add(fromField(schema.valueSchema(), item));
                    made.put(field, items);
                } else if (message.hasField(proto)) {
                    made.put(field, fromField(schema, message.getField(proto)));
                }
            }
            return made;
        }

        static Object fromField(Schema schema, Object value) {
            if (value instanceof ByteString) return ((ByteString) value).toByteArray();
            if (!(value instanceof com.google.protobuf.Message)) return value;
            com.google.protobuf.Message message = (com.google.protobuf.Message) value;
            if (schema.type() == Schema.Type.STRUCT) return fromMessage(schema, message);
            List<FieldDescriptor> fields = message.getDescriptorForType().getFields();
            if (schema.type() == Schema.Type.BYTES) return decimal(schema, ((ByteString) message.getField(fields.get(0))).toByteArray());
            return new Date((Long) message.getField(fields.get(0)) * 1000 + (Integer) message.getField(fields.get(1)) / 1_000_000);
        }
    }
}
