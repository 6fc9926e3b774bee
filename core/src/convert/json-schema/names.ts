/** The names under which Confluent's JSON Schema converter keeps what JSON Schema has no place for. */
const namespace = 'io.confluent.connect.json'
export const ownParameters = namespace
export const jsonEnum = `${namespace}.Enum`
export const generalizedEnum = 'org.apache.kafka.connect.data.Enum'
/** Stands for null among the symbols of an enum. */
export const nullSymbol = '<NULL>'
