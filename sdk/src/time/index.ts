/** Times by the patterns of Java's date formats. */
export { JavaDateFormat } from './java-date-format.ts'
