/** Key and value of control records, of which control batches hold one. */
import { defineMessage, int16, int32 } from '../message.ts'

export const controlRecordKey = defineMessage({
  name: 'ControlRecordKey',
  versions: [0, 0],
  readsNewer: true,
  fields: {
    /** 0 abort, 1 commit; others are no transaction markers. */
    type: int16(),
  },
})

export const endTxnMarker = defineMessage({
  name: 'EndTxnMarker',
  versions: [0, 0],
  readsNewer: true,
  fields: { coordinatorEpoch: int32() },
})
