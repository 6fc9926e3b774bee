import { definePlugin } from '@tidewire/sdk'
import { castTransforms } from './cast.ts'
import { dedupe } from './dedupe.ts'
import { dropHeaders } from './drop-headers.ts'
import { enrich } from './enrich.ts'
import { eventRouter } from './event-router.ts'
import { expression } from './expression.ts'
import { extractFieldTransforms } from './extract-field.ts'
import { extractNewRecordState } from './extract-new-record-state.ts'
import { filter } from './filter.ts'
import { flattenTransforms } from './flatten.ts'
import { headerFromTransforms } from './header-from.ts'
import { hoistFieldTransforms } from './hoist-field.ts'
import { insertFieldTransforms } from './insert-field.ts'
import { insertHeader } from './insert-header.ts'
import { logicalTopicRouters } from './logical-topic-router.ts'
import { maskFieldTransforms } from './mask-field.ts'
import { hasHeaderKey, recordIsTombstone, topicNameMatches } from './predicates.ts'
import { regexRouter } from './regex-router.ts'
import { replaceFieldTransforms } from './replace-field.ts'
import { setSchemaMetadataTransforms } from './set-schema-metadata.ts'
import { contentBasedRouter, expressionFilter } from './script-filters.ts'
import { throttle } from './throttle.ts'
import { timestampConverterTransforms } from './timestamp-converter.ts'
import { timestampRouter } from './timestamp-router.ts'
import { valueToKey } from './value-to-key.ts'

export default definePlugin({
  name: 'tidewire-transforms',
  version: '0.1.0',
  transforms: [
    ...castTransforms,
    contentBasedRouter,
    dedupe,
    dropHeaders,
    enrich,
    eventRouter,
    expression,
    expressionFilter,
    ...extractFieldTransforms,
    extractNewRecordState,
    filter,
    ...flattenTransforms,
    ...headerFromTransforms,
    ...hoistFieldTransforms,
    ...insertFieldTransforms,
    insertHeader,
    ...logicalTopicRouters,
    ...maskFieldTransforms,
    regexRouter,
    ...replaceFieldTransforms,
    ...setSchemaMetadataTransforms,
    throttle,
    ...timestampConverterTransforms,
    timestampRouter,
    valueToKey,
  ],
  predicates: [hasHeaderKey, recordIsTombstone, topicNameMatches],
})
