/**
 * What objects look like inside: records to bytes, and bytes to records. It knows nothing of S3.
 *
 * Writing: `settings.ts`, which loads nothing, has the settings of the sink; `objectFormat` makes of them, once for a task,
 * what opens writers.
 * Reading: `openReader` gives the records of an object in batches, from any record number on.
 */
export type { ObjectFormat, ObjectWriter } from './object-format.ts'
export { objectFormat } from './choose-format.ts'
export type { ReadableObject, ReadBatch, ReadFormat, ReadOptions, ReadRecord } from './read/object-reader.ts'
export { openReader } from './read/open-reader.ts'
