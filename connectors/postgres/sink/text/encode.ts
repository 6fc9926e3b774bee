/** A value that is not null in the text form that its column reads. */
export type Encode = (value: unknown) => string
