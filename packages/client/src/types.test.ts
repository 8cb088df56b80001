import { expectTypeOf, test } from 'vitest';
import {
  bytes,
  type Cache,
  type ClientView,
  type Codec,
  type Entry,
  json,
  type Key,
  type Larder,
  type LarderError,
  text,
  type Written,
} from './index.js';

/** What a user's editor shows. Checked by the compiler; at run time nothing is called. */
type Calls = (larder: Larder) => unknown;
const compiled = (_calls: Calls): void => {};

interface City {
  readonly name: string;
}

test('a cache has the type that it is given, or that its codec has', () => {
  compiled((larder) => {
    expectTypeOf(larder.cache('cities')).toEqualTypeOf<Cache<unknown>>();
    expectTypeOf(larder.cache<City>('cities')).toEqualTypeOf<Cache<City>>();
    expectTypeOf(larder.cache('cities', { codec: bytes() })).toEqualTypeOf<Cache<Buffer>>();
    expectTypeOf(larder.cache('cities', { codec: text(), ttl: null })).toEqualTypeOf<Cache<string>>();
    expectTypeOf(larder.cache('cities', { codec: json<City>() })).toEqualTypeOf<Cache<City>>();
    // @ts-expect-error a codec of strings makes no cities
    larder.cache<City>('cities', { codec: text() });
    // @ts-expect-error there is no such option
    larder.cache('cities', { time: 5 });
  });
});

test('calls give and take that type', () => {
  compiled((larder) => {
    const cities = larder.cache<City>('cities');
    expectTypeOf(cities.get('a')).resolves.toEqualTypeOf<City | undefined>();
    expectTypeOf(cities.entry('a')).resolves.toEqualTypeOf<Entry<City> | undefined>();
    expectTypeOf(cities.getMany([1, 2n, ['a', 1]])).resolves.toEqualTypeOf<Map<string, City>>();
    expectTypeOf(cities.set('a', { name: 'x' })).resolves.toEqualTypeOf<Written>();
    expectTypeOf(cities.setMany(new Map<Key, City>())).resolves.toEqualTypeOf<Map<string, Written>>();
    expectTypeOf(cities.getOrSet('a', () => ({ name: 'x' }))).resolves.toEqualTypeOf<City>();
    expectTypeOf(cities.getOrSet('a', async ({ skip }) => skip({ name: 'x' }))).resolves.toEqualTypeOf<City>();
    expectTypeOf(cities.ttl('a')).resolves.toEqualTypeOf<number | null | undefined>();
    expectTypeOf(cities.delete('a')).resolves.toEqualTypeOf<boolean>();
    expectTypeOf(cities.deleteMany(['a'])).resolves.toEqualTypeOf<number>();
    // @ts-expect-error a city has a name
    cities.set('a', { nam: 'x' });
    // @ts-expect-error undefined cannot be stored
    cities.set('a', undefined);
    // @ts-expect-error there is no such option
    cities.get('a', { ttl: 5 });
    // @ts-expect-error nor is an object a key
    cities.get({ id: 1 });
    // @ts-expect-error expire needs a life
    cities.expire('a');
  });
});

test('listeners know what they are told', () => {
  compiled((larder) => {
    larder.on('topology', (view) => expectTypeOf(view).toEqualTypeOf<ClientView>());
    larder.on('degraded', (event) => expectTypeOf(event.error).toEqualTypeOf<LarderError>());
    // @ts-expect-error there is no such event
    larder.on('error', () => {});
  });
});

test('a codec is an object with two functions', () => {
  const codec = {
    name: 'date',
    encode: (date: Date) => Buffer.from(date.toISOString()),
    decode: (frame: Buffer, start: number, end: number) => new Date(frame.toString('latin1', start, end)),
  };
  expectTypeOf(codec).toExtend<Codec<Date>>();
  compiled((larder) => expectTypeOf(larder.cache('dates', { codec })).toEqualTypeOf<Cache<Date>>());
});
