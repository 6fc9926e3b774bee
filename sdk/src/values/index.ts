/** What all formats of values share: numbers and values as Java prints them, decimals as bytes, bytes that grow. */
export { decodeUnscaled, encodeUnscaled, rescale } from './decimal-bytes.ts'
export { GrowingBytes, readShortAscii } from './growing-bytes.ts'
export { headerText, parseHeaderText } from './header-text.ts'
export { doubleText, floatText } from './java-number-text.ts'
export { decimalText, javaToString } from './java-text.ts'
export { propertyReader, setProperty } from './property.ts'
