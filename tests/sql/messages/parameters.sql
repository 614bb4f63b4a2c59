-- Protects: the body of a function has the function's parameters and no others.
CREATE FUNCTION no_p() RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION no_p() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT $1; END;
CREATE FUNCTION no_p(int) RETURNS int LANGUAGE sql RETURN $1 + $2;
SET check_function_bodies = off;
CREATE FUNCTION no_p(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';
