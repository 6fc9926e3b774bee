import type { Converter } from '@tidewire/sdk'

/** A converter whose codec is loaded when the first record comes: it costs a worker that has no such record nothing. */
export function deferredConverter(load: () => Promise<Converter>): Converter {
  let loaded: Converter | undefined
  let loading: Promise<Converter> | undefined
  const loader = () =>
    (loading ??= load().then((converter) => {
      loaded = converter
      return converter
    }))
  return {
    fromConnect: (topic, schema, value) =>
      loaded === undefined
        ? loader().then((converter) => converter.fromConnect(topic, schema, value))
        : loaded.fromConnect(topic, schema, value),
    toConnect: (topic, bytes) =>
      loaded === undefined
        ? loader().then((converter) => converter.toConnect(topic, bytes))
        : loaded.toConnect(topic, bytes),
  }
}
