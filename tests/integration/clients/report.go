// SPDX-License-Identifier: GPL-3.0-or-later
// What report.py is, for Go.
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
)

type featureOf struct {
	name string
	body func()
}

var features []featureOf

func feature(name string, body func()) { features = append(features, featureOf{name, body}) }

func equal(got, wanted interface{}) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Errorf("got %#v, wanted %#v", got, wanted))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Both drivers' errors say their SQLSTATE.
func raises(code string, err error) {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) || state.SQLState() != code {
		panic(fmt.Errorf("got %v, wanted %s", err, code))
	}
}

func runFeatures() {
	failed := 0
	for _, f := range features {
		func() {
			defer func() {
				if reason := recover(); reason != nil {
					failed = 1
					fmt.Printf("not ok %s: %s\n", f.name, strings.Join(strings.Fields(fmt.Sprint(reason)), " "))
				}
			}()
			f.body()
			fmt.Println("ok " + f.name)
		}()
	}
	os.Exit(failed)
}
