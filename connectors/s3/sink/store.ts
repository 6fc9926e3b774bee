/** The requests that make objects, one after the other or in parts. Nothing here knows of records. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
  type S3Client,
  type CompletedPart,
  type MultipartUpload,
  type Tag,
} from '@aws-sdk/client-s3'
import type { S3Link } from '../link/connect.ts'
import type { WriteOptions } from './write-options.ts'

/** An object that is to be made. */
export interface NewObject {
  readonly key: string
  readonly contentType: string
  readonly metadata: Readonly<Record<string, string>>
  /** Only where there is none of that name. */
  readonly ifAbsent: boolean
}

export class ObjectStore {
  readonly #link: S3Link
  readonly #options: WriteOptions

  constructor(link: S3Link, options: WriteOptions) {
    this.#link = link
    this.#options = options
  }

  async put(object: NewObject, body: Uint8Array, signal: AbortSignal): Promise<void> {
    const { create, each } = this.#options
    const input = {
      ...{ ...create, ...each, ...this.#place(object.key), Body: body },
      ...{ ContentType: object.contentType, Metadata: object.metadata },
      ...(object.ifAbsent ? { IfNoneMatch: '*' } : {}),
    }
    await this.#call('writing', object.key, signal, (client, options) =>
      client.send(new PutObjectCommand(input), options),
    )
  }

  /** @returns the upload's id */
  async createUpload(object: NewObject, signal: AbortSignal): Promise<string> {
    const { create, each } = this.#options
    const input = {
      ...{ ...create, ...each, ...this.#place(object.key) },
      ...{ ContentType: object.contentType, Metadata: object.metadata },
      // Else the store would take the checksums of the parts, and not want to hear of them in the end.
      ...(this.#options.checksums ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
    }
    const { UploadId } = await this.#call('beginning the upload of', object.key, signal, (client, options) =>
      client.send(new CreateMultipartUploadCommand(input), options),
    )
    return UploadId!
  }

  async uploadPart(
    key: string,
    uploadId: string,
    number: number,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<CompletedPart> {
    const input = {
      ...{ ...this.#options.each, ...this.#place(key), UploadId: uploadId, PartNumber: number, Body: body },
    }
    const answer = await this.#call(`uploading part ${number} of`, key, signal, (client, options) =>
      client.send(new UploadPartCommand(input), options),
    )
    const { ETag, ChecksumCRC32 } = answer
    return { PartNumber: number, ETag, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) }
  }

  async completeUpload(
    object: NewObject,
    uploadId: string,
    parts: readonly CompletedPart[],
    signal: AbortSignal,
  ): Promise<void> {
    const input = {
      ...{ ...this.#options.each, ...this.#place(object.key), UploadId: uploadId },
      MultipartUpload: { Parts: [...parts] },
      ...(object.ifAbsent ? { IfNoneMatch: '*' } : {}),
    }
    await this.#call('completing the upload of', object.key, signal, (client, options) =>
      client.send(new CompleteMultipartUploadCommand(input), options),
    )
  }

  async abortUpload(key: string, uploadId: string, signal: AbortSignal): Promise<void> {
    await this.#call('aborting an upload of', key, signal, (client, options) =>
      client.send(new AbortMultipartUploadCommand({ ...this.#place(key), UploadId: uploadId }), options),
    )
  }

  /** What was given with the object when it was made. */
  async metadata(key: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const input = { ...this.#options.each, ...this.#place(key) }
    const { Metadata = {} } = await this.#call('looking at', key, signal, (client, options) =>
      client.send(new HeadObjectCommand(input), options),
    )
    return Metadata
  }

  async tag(key: string, tags: readonly Tag[], signal: AbortSignal): Promise<void> {
    await this.#call('tagging', key, signal, (client, options) =>
      client.send(new PutObjectTaggingCommand({ ...this.#place(key), Tagging: { TagSet: [...tags] } }), options),
    )
  }

  /** All multipart uploads of names that begin so, that were begun and have not ended. */
  async *uploads(prefix: string, signal: AbortSignal): AsyncGenerator<MultipartUpload> {
    let from: { KeyMarker?: string; UploadIdMarker?: string } = {}
    for (;;) {
      const input = { Bucket: this.#link.bucket, Prefix: prefix, ...from }
      const answer = await this.#call('listing uploads of', `${prefix}*`, signal, (client, options) =>
        client.send(new ListMultipartUploadsCommand(input), options),
      )
      yield* answer.Uploads ?? []
      if (answer.IsTruncated !== true) return
      const { NextKeyMarker, NextUploadIdMarker } = answer
      from = {
        ...(NextKeyMarker === undefined ? {} : { KeyMarker: NextKeyMarker }),
        ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
      }
    }
  }

  #place(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#link.bucket, Key: key }
  }

  #call<T>(
    doing: string,
    key: string,
    signal: AbortSignal,
    request: (client: S3Client, options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    return this.#link.call(`${doing} s3://${this.#link.bucket}/${key}`, request, signal)
  }
}
