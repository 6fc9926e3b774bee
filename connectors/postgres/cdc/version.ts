/** Of the connector, in `source.version` of its events. */
export const version = '0.1.0'
