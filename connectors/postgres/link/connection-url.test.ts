import { describe, expect, test } from 'vitest'
import { addressOfUrl } from './connection-url.ts'

const of = (url: string, user: string | undefined = 'app') =>
  addressOfUrl(url, { user, password: 'secret' }, 'tidewire')

describe('connection.url', () => {
  test.each([
    ['jdbc:postgresql://db.example:5433/shop', { host: 'db.example', port: 5433, database: 'shop' }],
    ['jdbc:postgresql://db.example/shop', { port: 5432 }],
    ['jdbc:postgresql:shop', { host: 'localhost', database: 'shop' }],
    ['jdbc:postgresql://db.example/', { database: 'app' }],
    ['jdbc:postgresql:/', { host: 'localhost', database: 'app' }],
    ['jdbc:postgresql://[::1]:6000/shop', { host: '::1', port: 6000 }],
    ['postgresql://other@db/my%20shop', { user: 'app', database: 'my shop' }],
    ['jdbc:postgresql://db/shop?currentSchema=a,b c', { options: String.raw`-c search_path=a,b\ c` }],
    ['jdbc:postgresql://db/shop?options=-c%20lock_timeout%3D5s', { options: '-c lock_timeout=5s' }],
    ['jdbc:postgresql://db/shop?ApplicationName=x', { applicationName: 'x' }],
    ['jdbc:postgresql://db/shop?reWriteBatchedInserts=true&stringtype=unspecified', { database: 'shop' }],
  ])('%s', (url, expected) => {
    expect(of(url)).toMatchObject({ user: 'app', password: 'secret', applicationName: 'tidewire', ...expected })
  })

  test('the user of the URL is taken where no setting names one', () => {
    expect(addressOfUrl('postgresql://other@db/shop', {}, '').user).toBe('other')
    expect(addressOfUrl('jdbc:postgresql://db/shop?user=other', {}, '').user).toBe('other')
  })

  test('TLS', () => {
    expect(of('jdbc:postgresql://db/shop').ssl.mode).toBe('prefer')
    expect(of('jdbc:postgresql://db/shop?ssl=true').ssl.mode).toBe('verify-full')
    expect(of('jdbc:postgresql://db/shop?sslmode=verify-ca&sslrootcert=/ca.pem').ssl).toMatchObject({
      mode: 'verify-ca',
      rootCertFile: '/ca.pem',
    })
  })

  test.each([
    ['jdbc:mysql://db/shop', 'is not of the form'],
    ['jdbc:postgresql://a,b/shop', 'names several hosts'],
    ['jdbc:postgresql://db/shop?password=x', 'set connection.password'],
    ['postgresql://app:x@db/shop', 'set connection.password'],
    ['jdbc:postgresql://db/shop?sslmode=maybe', 'sslmode=maybe'],
    ['jdbc:postgresql://db/shop?socketFactory=x.Y', 'not known here: socketFactory'],
    ['jdbc:postgresql://db/shop?targetServerType=secondary', 'of the kind "secondary"'],
    ['jdbc:postgresql://db/%zz', 'percent sign'],
  ])('%s is refused', (url, message) => {
    expect(() => of(url)).toThrow(message)
  })

  test('a user is needed', () => {
    expect(() => addressOfUrl('jdbc:postgresql://db/shop', {}, '')).toThrow('connection.user')
  })
})
