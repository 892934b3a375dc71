/** The version of this package. A test keeps it equal to package.json's. */
export const version: string = "0.1.0";
