import { describe, expect, test } from 'vitest'
import { parseProtobuf } from './protobuf-format.ts'

describe('a file as a descriptor', () => {
  test('one that the Confluent registry has made', () => {
    const base64 = 'CgdkZWZhdWx0IiYKAUESDgoBYRgBIAEoCUgAiAEBEgkKAWIYAiADKAVCBgoCX2ESAGIGcHJvdG8z'
    expect(parseProtobuf(base64, []).canonical).toBe(
      'syntax = "proto3";\n\nmessage A {\n  optional string a = 1;\n  repeated int32 b = 2;\n}\n',
    )
  })

  test('all that a file declares goes through it', () => {
    const schema = parseProtobuf(
      `syntax = "proto2"; package a.b;
      import "google/protobuf/descriptor.proto"; import public "google/protobuf/timestamp.proto"; import "confluent/meta.proto";
      option java_package = "x.y"; option optimize_for = CODE_SIZE; option (file).text = "q"; option (file).numbers = 5; option (file).numbers = -6;
      message Own { optional string text = 1; repeated sint32 numbers = 2; optional double real = 3; map<string, int64> map = 4; }
      extend google.protobuf.FileOptions { optional Own file = 50000; }
      extend google.protobuf.FieldOptions { optional string mark = 50001; optional Own own = 50002; }
      message M {
        reserved 5, 10 to 20, 1000 to max; reserved "foo"; extensions 200 to 300;
        required int32 i = 1 [default = -5, deprecated = true, (own) = { real: 1.5, map: [{ key: "k", value: 7 }], numbers: [1, -2] }];
        optional string s = 2 [default = "he\\"y", json_name = "S", (mark) = "x", (confluent.field_meta) = { doc: "d", params: [{ key: "k", value: "v" }], tags: ["PII"] }];
        map<string, Inner> m = 6; oneof o { int32 z = 9; string y = 7; }
        message Inner { enum E { option allow_alias = true; A = 0; B = 1 [deprecated = true]; D = -1; reserved 5 to 7; } optional E e = 1 [default = B]; optional M m = 2; }
        repeated int32 p = 24 [packed = true]; optional bytes by = 25; extend M { optional fixed64 f = 200; }
      }
      service S { rpc Do (M) returns (stream M.Inner) { option idempotency_level = NO_SIDE_EFFECTS; } }`,
      [],
    )
    const again = parseProtobuf(schema.formatted?.('serialized') ?? '', [])
    expect(again.normalized()).toBe(schema.normalized())
  })

  test('proto3, with references', () => {
    const reference = {
      name: 'o.proto',
      subject: 'o',
      version: 1,
      schema: 'syntax = "proto3"; package o; enum E { Z = 0; }',
    }
    const text =
      'syntax = "proto3"; import "o.proto"; message A { o.E e = 1; optional o.E f = 2; map<int32, A> m = 3; oneof u { A a = 4; } }'
    const schema = parseProtobuf(text, [reference])
    expect(parseProtobuf(schema.formatted?.('serialized') ?? '', [reference]).normalized()).toBe(schema.normalized())
  })

  test('ignore_extensions leaves out what is declared elsewhere', () => {
    const text = 'syntax = "proto3"; message A { int32 a = 1 [(x) = 1, deprecated = true]; } extend A { int32 b = 2; }'
    expect(parseProtobuf(text, []).formatted?.('ignore_extensions')).toBe(
      'syntax = "proto3";\n\nmessage A {\n  int32 a = 1 [deprecated = true];\n}\n',
    )
  })
})
