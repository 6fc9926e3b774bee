/** What a configuration belongs to, by the protocol's numbers. */
export const resourceTypes = { TOPIC: 2, BROKER: 4 } as const
