import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './tidewire.ts'
import { until } from './until.ts'

/** A real broker, on ports of its own. */
export interface Mosquitto {
  /** Anonymous. */
  readonly port: number
  /** TLS, user `user` with password `secret`. */
  readonly tlsPort: number
  /** TLS, client certificate wanted. */
  readonly mutualPort: number
  /** Plain, user `user` with password `secret`; may read topics below `open/` only. */
  readonly passwordPort: number
  /** PEM files: ca.crt, server.crt, server.key, client.crt, client.key, and other-ca.crt, which signed none of them. */
  file(name: string): string
  /** Ends the process at once, as a crash would. */
  kill(): Promise<void>
  /** Starts it again on the same ports, with what it had stored. */
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Whether mosquitto is on this machine. Without it the tests that need it are skipped, visibly; in CI that would hide
 * a broken set-up, so there it is an error.
 */
export function hasMosquitto(): boolean {
  // Debian puts it where only root looks.
  const found =
    spawnSync('sh', ['-c', 'command -v mosquitto && command -v openssl'], { env: environment() }).status === 0
  if (!found && process.env['CI'] === 'true') throw new Error('CI needs mosquitto and openssl; see .ci/run')
  return found
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` }
}

export interface MosquittoOptions {
  /** Stores each change at once, so that sessions survive {@link Mosquitto.kill}; slow with many messages. */
  readonly survivesKill?: boolean
  /** Most unacknowledged messages that a client gets; 0 is no limit. Default 20, its own default. */
  readonly maxInflight?: number
}

/** Starts a broker. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const dir = mkdtempSync(join(tmpdir(), 'mosquitto-'))
  const [port, tlsPort, mutualPort, passwordPort] = await freePorts(4)
  makeCertificates(dir)
  execFileSync('mosquitto_passwd', ['-c', '-b', join(dir, 'passwd'), 'user', 'secret'], { env: environment() })
  writeFileSync(join(dir, 'acl'), 'user user\ntopic readwrite open/#\n')
  const tls = `cafile ${dir}/ca.crt\ncertfile ${dir}/server.crt\nkeyfile ${dir}/server.key`
  const config = [
    'per_listener_settings true',
    ...(options.survivesKill === true
      ? ['persistence true', `persistence_location ${dir}/`, 'autosave_interval 1', 'autosave_on_changes true']
      : ['persistence false']),
    `max_inflight_messages ${options.maxInflight ?? 20}`,
    'max_queued_messages 0',
    `listener ${port} 127.0.0.1\nallow_anonymous true`,
    `listener ${tlsPort} 127.0.0.1\n${tls}\npassword_file ${dir}/passwd\nallow_anonymous false`,
    `listener ${mutualPort} 127.0.0.1\n${tls}\nrequire_certificate true\nuse_identity_as_username true`,
    `listener ${passwordPort} 127.0.0.1\npassword_file ${dir}/passwd\nallow_anonymous false\nacl_file ${dir}/acl`,
    // As root it would change to a user who may not read here.
    'user root',
  ]
  writeFileSync(join(dir, 'mosquitto.conf'), config.join('\n') + '\n')
  // It warns of files that others may read, and refuses some.
  chmodSync(join(dir, 'passwd'), 0o600)
  chmodSync(join(dir, 'acl'), 0o600)

  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const started = spawn('mosquitto', ['-c', join(dir, 'mosquitto.conf')], {
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let output = ''
    started.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child = started
    await until('mosquitto to listen', async () => {
      if (started.exitCode !== null) throw new Error(`mosquitto exited with ${started.exitCode}: ${output}`)
      return await canConnect(passwordPort!)
    })
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = child
    if (ended === undefined || ended.exitCode !== null || ended.signalCode !== null) return
    const exit = once(ended, 'exit')
    ended.kill(signal)
    await exit
  }
  await start()
  return {
    port: port!,
    tlsPort: tlsPort!,
    mutualPort: mutualPort!,
    passwordPort: passwordPort!,
    file: (name) => join(dir, name),
    kill: () => end('SIGKILL'),
    start,
    stop: async () => {
      await end('SIGTERM')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function makeCertificates(dir: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: dir, stdio: 'ignore', env: environment() })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const ca of ['ca', 'other-ca']) {
    openssl('req', '-x509', ...newKey, '-days', '30', '-keyout', `${ca}.key`, '-out', `${ca}.crt`, '-subj', `/CN=${ca}`)
  }
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-copy_extensions', 'copy']
  for (const name of ['server', 'client']) {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, ...names)
    openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.crt`)
  }
}
