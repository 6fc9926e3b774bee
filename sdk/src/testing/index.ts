/** Runs connectors without a worker, for the tests of a connector. Works with any test runner. */
export type { ConformanceCase, ConformanceSystem } from './conformance.ts'
export type { FollowedText, FollowedTexts } from './followed-topics.ts'
export type { LogLine } from './logs.ts'
export { OffsetStore, type StoredOffset } from './offset-store.ts'
export { parseConfig, type RawConfig } from './parse-config.ts'
export { sinkConformance, type SinkConformance, type SinkSystem } from './sink-conformance.ts'
export { runSink, sinkRecord, sinkRecords, type SinkRun, type SinkRunOptions } from './sink-run.ts'
export { sourceConformance, type SourceConformance, type SourceSystem } from './source-conformance.ts'
export { runSource, type SourceRun, type SourceRunOptions } from './source-run.ts'
export {
  predicateConformance,
  transformConformance,
  type PredicateConformance,
  type TransformConformance,
} from './transform-conformance.ts'
export { runTransform, testPredicate, type TransformRun, type TransformRunOptions } from './transform-run.ts'
