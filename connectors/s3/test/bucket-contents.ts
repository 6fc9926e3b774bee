import { gunzipSync } from 'node:zlib'
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
  type _Object,
} from '@aws-sdk/client-s3'

const readsAtATime = 16

/** Names of all objects, in order. */
export async function keysOf(client: S3Client, bucket: string): Promise<string[]> {
  const keys: string[] = []
  let token: string | undefined
  do {
    const input = { Bucket: bucket, ...(token === undefined ? {} : { ContinuationToken: token }) }
    const answer = await client.send(new ListObjectsV2Command(input))
    keys.push(...(answer.Contents ?? []).map(({ Key }: _Object) => Key!))
    token = answer.NextContinuationToken
  } while (token !== undefined)
  return keys.toSorted()
}

export async function bytesOf(client: S3Client, bucket: string, key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  return Buffer.from(await Body!.transformToByteArray())
}

/** The values of an object of JSON lines. */
export async function linesOf(client: S3Client, bucket: string, key: string): Promise<unknown[]> {
  const bytes = await bytesOf(client, bucket, key)
  const text = (key.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
}

/** All objects of JSON lines, by name. */
export async function contentsOf(client: S3Client, bucket: string): Promise<Record<string, unknown[]>> {
  const keys = await keysOf(client, bucket)
  const contents: Record<string, unknown[]> = {}
  for (let at = 0; at < keys.length; at += readsAtATime) {
    const some = keys.slice(at, at + readsAtATime)
    const lines = await Promise.all(some.map((key) => linesOf(client, bucket, key)))
    for (const [i, key] of some.entries()) contents[key] = lines[i]!
  }
  return contents
}

/** Names of the objects of multipart uploads that were begun and have not ended. */
export async function openUploadsOf(client: S3Client, bucket: string): Promise<string[]> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  return Uploads.map(({ Key }) => Key!)
}
